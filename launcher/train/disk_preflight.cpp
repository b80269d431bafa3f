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

std::uint64_t ComingSnapshots::bytes_until(std::int64_t step) const {
  if (each == 0 || every == 0) return 0;
  return each * static_cast<std::uint64_t>(step / every - after / every);
}

std::vector<double> DiskPreflight::added_bytes() const {
  const auto added = added_during(retention, present, saves);
  std::vector<double> bytes;
  for (std::size_t i = 0; i < added.size(); ++i) {
    bytes.push_back(static_cast<double>(added[i]) * static_cast<double>(each) +
                    static_cast<double>(snapshots.bytes_until(saves[i])));
  }
  return bytes;
}

std::size_t DiskPreflight::fitting() const {
  const auto bytes = added_bytes();
  const auto room = static_cast<double>(free);
  return static_cast<std::size_t>(
      std::ranges::find_if(bytes, [&](double one) { return one > 0 && one > room; }) -
      bytes.begin());
}

double DiskPreflight::needed() const {
  const auto bytes = added_bytes();
  return bytes.empty() ? 0 : std::max(0.0, *std::ranges::max_element(bytes));
}

std::string DiskPreflight::shortage() const {
  const std::size_t fit = fitting();
  if (fit == saves.size()) return {};
  const std::uint64_t beside = snapshots.bytes_until(saves.back());
  const std::string averages = beside == 0
                                   ? ""
                                   : fmt::format(" and {} of averages at {} each",
                                                 counted(beside / snapshots.each, "snapshot"),
                                                 human_bytes(static_cast<double>(snapshots.each)));
  return fmt::format(
      "{}: {} of the next {} checkpoints fit; with what is kept ({}) they need {} at {} each{}, {} "
      "are free",
      directory.string(), fit, saves.size(), kept_text(retention), human_bytes(needed()),
      human_bytes(static_cast<double>(each)), averages, human_bytes(static_cast<double>(free)));
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
