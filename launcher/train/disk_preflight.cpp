#include "launcher/train/disk_preflight.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/text/report.h"

namespace edt {
namespace {

std::string kept_text(const Retention& retention) {
  std::string text = fmt::format("the newest {}", retention.newest);
  if (retention.best > 0) text += fmt::format(", the best {}", retention.best);
  if (retention.every > 0) text += fmt::format(", every {} steps", retention.every);
  return text;
}

}  // namespace

std::size_t DiskPreflight::fitting() const {
  const auto added = added_during(retention, present, saves);
  const auto room = each > 0 ? free / each : saves.size();
  return static_cast<std::size_t>(
      std::ranges::find_if(
          added, [&](std::int64_t n) { return n > 0 && static_cast<std::uint64_t>(n) > room; }) -
      added.begin());
}

double DiskPreflight::needed() const {
  const auto added = added_during(retention, present, saves);
  const std::int64_t most = added.empty() ? 0 : *std::ranges::max_element(added);
  return static_cast<double>(most) * static_cast<double>(each);
}

std::string DiskPreflight::shortage() const {
  const std::size_t fit = fitting();
  if (fit == saves.size()) return {};
  return fmt::format(
      "{}: {} of the next {} checkpoints fit; with what is kept ({}) they need {} at {} each, {} "
      "are free",
      directory.string(), fit, saves.size(), kept_text(retention), human_bytes(needed()),
      human_bytes(static_cast<double>(each)), human_bytes(static_cast<double>(free)));
}

std::vector<std::int64_t> coming_saves(std::int64_t step, std::int64_t every, std::int64_t last,
                                       std::size_t most) {
  std::vector<std::int64_t> saves;
  while (step < last && saves.size() < most) {
    step = every > 0 ? std::min(last, (step / every + 1) * every) : last;
    saves.push_back(step);
  }
  return saves;
}

}  // namespace edt
