#include "launcher/watch/watch_page.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/image/png.h"
#include "core/storage/durable_file.h"
#include "launcher/text/report.h"
#include "launcher/watch/comparison.h"
#include "launcher/watch/watch_charts.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

constexpr std::size_t kPictures = 4, kWarnings = 30;
constexpr std::size_t kPictureBytes = std::size_t{8} << 20;  // of all on the page of one run

void add_facts(Page& page, const RunView& run) {
  std::vector<std::pair<std::string, std::string>> facts;
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty() && text != "-") facts.emplace_back(name, text);
  };
  std::string state = state_text(run);
  if (const std::string detail = state_detail(run); !detail.empty()) state += ": " + detail;
  add("state", state);
  add("model", recipe_text(run));
  std::string steps = thousands(run.step());
  if (run.total_steps() > 0) {
    steps += fmt::format(" of {} ({})", thousands(run.total_steps()), percent(run.progress()));
  }
  add("step", steps);
  add("pace", end_text(run));
  const MetricsHistory& metrics = run.metrics();
  if (!metrics.empty()) {
    std::string loss = value_text(metrics.recent_mean(&MetricsRecord::loss));
    const double masked = metrics.recent_mean(&MetricsRecord::masked_loss);
    if (value_text(masked) != "-") loss += ", masked pass " + value_text(masked);
    add("loss", loss);
    if (run.forecast()) add("loss ahead", forecast_text(*run.forecast()));
    add("held-out loss", held_out_text(run));
    add("FID", judged_text(run, &MetricsRecord::fid));
    add("latent Frechet distance", judged_text(run, &MetricsRecord::latent_frechet));
    add("images/s", value_text(metrics.recent_mean(&MetricsRecord::images_per_s)));
    add("work", ceiling_text(run));
    add("trained for", human_duration(metrics.trained_seconds()));
  }
  add("events", events_text(run));
  add("directory", std::filesystem::absolute(run.directory()).string());
  page.facts(facts);
}

void add_checkpoints(Page& page, const RunView& run) {
  if (run.checkpoints().empty()) return;
  page.heading("Checkpoints of " + run.name());
  std::vector<std::vector<std::string>> rows;
  for (const CheckpointFile& file : run.checkpoints()) {
    rows.push_back({thousands(file.step), date_text(file.time, run.now()),
                    file.bytes > 0 ? human_bytes(static_cast<double>(file.bytes)) : "",
                    file.intact ? "intact" : file.problem});
  }
  page.table({"step", "written", "size", "state"}, rows);
}

// The newest, and earlier ones spread over the run.
std::vector<SampleFile> chosen_samples(const std::vector<SampleFile>& all) {
  std::vector<SampleFile> chosen;
  const std::size_t count = std::min(all.size(), kPictures);
  for (std::size_t i = 0; i < count; ++i) {
    chosen.push_back(all[count > 1 ? i * (all.size() - 1) / (count - 1) : 0]);
  }
  return chosen;
}

void add_samples(Page& page, const RunView& run) {
  if (run.samples().empty()) return;
  page.heading("Samples of " + run.name());
  std::size_t bytes = 0;
  for (const SampleFile& sample : chosen_samples(run.samples())) {
    const std::string png = text_if_there(sample.path);
    bytes += png.size();
    if (png.empty() || bytes > kPictureBytes) continue;
    const std::string comment = png_comment(png);
    page.picture(
        png, fmt::format("step {}, {}{}{}", thousands(sample.step), sample.path.filename().string(),
                         comment.empty() ? "" : ", ", comment));
  }
}

void add_warnings(Page& page, const RunView& run) {
  const auto& list = run.warnings().list();
  if (list.empty()) return;
  page.heading("Warnings of " + run.name());
  std::vector<std::vector<std::string>> rows;
  for (auto one = list.rbegin(); one != list.rend() && rows.size() < kWarnings; ++one) {
    rows.push_back({log_time_text(one->time), one->error ? "error" : "warning",
                    one->ranks > 1 ? fmt::format("{} ranks", one->ranks) : "", one->text});
  }
  page.table({"time", "level", "from", "what"}, rows);
  const std::int64_t left = run.warnings().count() - static_cast<std::int64_t>(rows.size());
  if (left > 0) page.paragraph(fmt::format("and {} earlier ones", thousands(left)));
}

void add_comparison(Page& page, const RunViews& runs) {
  std::vector<std::string> header{""};
  for (const auto& run : runs) header.push_back(run->name());
  std::vector<std::vector<std::string>> rows;
  for (const ComparedLine& line : compare(runs)) {
    rows.push_back({line.name});
    rows.back().insert(rows.back().end(), line.values.begin(), line.values.end());
  }
  page.table(header, rows);
}

}  // namespace

Page watch_page(const RunViews& runs, std::optional<double> refresh) {
  std::string title;
  for (const auto& run : runs) {
    if (!title.empty()) title += ", ";
    title += run->name();
  }
  Page page(title);
  if (refresh) page.refresh(*refresh);
  if (runs.size() == 1) {
    add_facts(page, *runs.front());
  } else {
    add_comparison(page, runs);
  }
  const std::vector<LineChart> charts = charts_of(runs);
  if (charts.empty()) page.paragraph("No step is recorded yet.");
  for (const LineChart& chart : charts) page.chart(chart);
  for (const auto& run : runs) {
    add_samples(page, *run);
    add_checkpoints(page, *run);
    add_warnings(page, *run);
  }
  const double now = runs.front()->now();
  page.paragraph(fmt::format(
      "Seen {} {}{}.", date_text(now, 0), clock_text(now),
      refresh ? fmt::format(", renewed every {:g} s", *refresh) : std::string(", as it ended")));
  return page;
}

}  // namespace edt
