// The frame of one run: state, progress, plots, where the time goes, files, warnings.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "launcher/text/report.h"
#include "launcher/watch/frame.h"
#include "launcher/watch/plots.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

constexpr int kLabels = 13;  // columns of the words at the left

void draw_title(Canvas& canvas, const RunView& run) {
  const std::string state = state_text(run);
  const std::string detail = state_detail(run);
  const int width = canvas.columns();
  // The state is whole at the right, the rest takes what is left.
  canvas.text_right(width, 0, state, state_ink(run));
  const int free = width - cells_of(state) - 2;
  if (free <= 0) return;
  const int after = canvas.text(0, 0, run.name(), Ink::kBold, free);
  if (free - after > 12) canvas.text(after + 2, 0, recipe_text(run), Ink::kMuted, free - after - 2);
  if (!detail.empty()) canvas.text_right(width, 1, detail, Ink::kMuted);
}

void draw_progress(Canvas& canvas, const RunView& run, int row) {
  const std::int64_t total = run.total_steps();
  std::string text = fmt::format("step {}", thousands(run.step()));
  if (total > 0) text += fmt::format(" of {}", thousands(total));
  const int column = canvas.text(0, row, text, Ink::kBold) + 2;
  if (total == 0) return;
  const std::string share = percent(std::floor(run.progress() * 1000) / 1000);
  const int width = canvas.columns() - column - 2 - static_cast<int>(share.size());
  if (width >= 8) {
    const int done = static_cast<int>(run.progress() * width);
    const bool unicode = canvas.look().unicode;
    for (int i = 0; i < width; ++i) {
      canvas.put(column + i, row, i < done ? (unicode ? U'━' : U'#') : (unicode ? U'─' : U'.'),
                 i < done ? Ink::kSeries0 : Ink::kMuted);
    }
  }
  canvas.text_right(canvas.columns(), row, share);
}

void draw_speed(Canvas& canvas, const RunView& run, int row) {
  if (run.metrics().empty()) {
    canvas.text(0, row, "no step recorded yet", Ink::kMuted);
    return;
  }
  std::string right = value_text(run.metrics().recent_mean(&MetricsRecord::images_per_s));
  right += " images/s";
  if (const std::string ceiling = ceiling_text(run); !ceiling.empty()) right += " · " + ceiling;
  const std::string left = end_text(run);
  const bool both = cells_of(left) + cells_of(right) + 3 <= canvas.columns();
  canvas.text(0, row, left);
  if (both) canvas.text_right(canvas.columns(), row, right);
}

// Where the loss goes, or why nobody can tell; false where it is not asked.
bool draw_forecast(Canvas& canvas, const RunView& run, int row) {
  if (!run.forecast()) return false;
  const bool is_sound = run.forecast()->is_sound();
  canvas.text(0, row, (is_sound ? "loss ahead: " : "") + forecast_text(*run.forecast()),
              is_sound ? Ink::kPlain : Ink::kMuted, canvas.columns());
  return true;
}

// A bar of the time of a step, and its legend.
void draw_shares(Canvas& canvas, const RunView& run, int row) {
  canvas.text(0, row, "time", Ink::kBold);
  auto shares = run.metrics().recent_shares();
  if (shares.empty()) {
    canvas.text(kLabels, row, "nothing recorded yet", Ink::kMuted);
    return;
  }
  struct Entry {
    double share;
    std::string text;
    Ink ink;
  };
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double share = std::max(shares[i].second, 0.0);
    entries.push_back(
        {share, fmt::format("{} {}", shares[i].first, percent(share)), series_ink(i)});
  }
  // What takes least time goes first where there is no room for all.
  const auto width = [&] {
    int cells = kLabels - 3;
    for (const Entry& entry : entries) cells += cells_of(entry.text) + 3;
    return cells;
  };
  while (width() > canvas.columns() && !entries.empty()) {
    entries.erase(std::ranges::min_element(entries, {}, &Entry::share));
  }
  int column = kLabels;
  for (const Entry& entry : entries) column = canvas.text(column, row, entry.text, entry.ink) + 3;
}

void draw_share_bar(Canvas& canvas, const RunView& run, int row) {
  const auto shares = run.metrics().recent_shares();
  double sum = 0;
  for (const auto& share : shares) sum += std::max(share.second, 0.0);
  if (sum <= 0) return;
  const int width = canvas.columns() - kLabels;
  double begin = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double end = begin + std::max(shares[i].second, 0.0) / sum;
    for (int c = static_cast<int>(std::lround(begin * width));
         c < static_cast<int>(std::lround(end * width)); ++c) {
      const char32_t letter = static_cast<unsigned char>(shares[i].first.front());
      canvas.put(kLabels + c, row, canvas.look().unicode && canvas.look().colours ? U'▆' : letter,
                 series_ink(i));
    }
    begin = end;
  }
}

std::string checkpoint_text(const RunView& run, const CheckpointFile& file) {
  std::string text =
      fmt::format("step {}  {}", thousands(file.step), ago_text(file.time, run.now()));
  if (file.bytes > 0) text += "  " + human_bytes(static_cast<double>(file.bytes));
  return fmt::format("{}  {}", text, file.intact ? "intact" : file.problem);
}

// One row per checkpoint, the newest first.
int draw_checkpoints(Canvas& canvas, const RunView& run, int row, int rows) {
  canvas.text(0, row, "checkpoints", Ink::kBold);
  const auto& files = run.checkpoints();
  if (files.empty()) {
    canvas.text(kLabels, row, "none yet", Ink::kMuted);
    return row + 1;
  }
  const int shown = std::min<int>(rows, static_cast<int>(files.size()));
  for (int i = 0; i < shown; ++i) {
    const CheckpointFile& file = files[static_cast<std::size_t>(i)];
    const int after = canvas.text(kLabels, row, checkpoint_text(run, file),
                                  file.intact ? Ink::kPlain : Ink::kWarning);
    const auto more = static_cast<int>(files.size()) - shown;
    if (i + 1 == shown && more > 0) {
      canvas.text(after + 2, row, fmt::format("and {} older", more), Ink::kMuted);
    }
    ++row;
  }
  return row;
}

int draw_samples(Canvas& canvas, const RunView& run, int row) {
  canvas.text(0, row, "samples", Ink::kBold);
  const auto& samples = run.samples();
  if (samples.empty()) {
    canvas.text(kLabels, row, "none", Ink::kMuted);
    return row + 1;
  }
  const SampleFile& newest = samples.front();
  const int after = canvas.text(kLabels, row,
                                fmt::format("samples/{}  {}", newest.path.filename().string(),
                                            ago_text(newest.time, run.now())));
  if (samples.size() > 1) {
    canvas.text(after + 2, row, fmt::format("and {} older", samples.size() - 1), Ink::kMuted);
  }
  return row + 1;
}

void draw_warnings(Canvas& canvas, const RunView& run, int row, int rows) {
  const auto& list = run.warnings().list();
  canvas.text(0, row, "warnings", Ink::kBold);
  const std::string events = events_text(run);
  if (list.empty() && run.warnings().problem().empty()) {
    const int after = canvas.text(kLabels, row, "none", Ink::kMuted);
    if (!events.empty()) canvas.text(after + 2, row, events, Ink::kMuted);
    return;
  }
  if (!run.warnings().problem().empty()) {
    canvas.text(kLabels, row++, run.warnings().problem(), Ink::kBad);
    --rows;
  } else if (!events.empty() && rows > 2) {
    canvas.text(kLabels, row++, events);
    --rows;
  }
  const int shown = std::clamp<int>(rows, 0, static_cast<int>(list.size()));
  for (int i = 0; i < shown; ++i) {
    const LogWarning& one = list[list.size() - static_cast<std::size_t>(1 + i)];
    const int after = canvas.text(kLabels, row, log_time_text(one.time), Ink::kMuted);
    std::string text = one.text;
    if (one.ranks > 1) text = fmt::format("({} ranks) {}", one.ranks, text);
    canvas.text(after + 2, row, text, one.error ? Ink::kBad : Ink::kWarning);
    ++row;
  }
}

}  // namespace

void draw_one_run(Canvas& canvas, const RunView& run, int rows) {
  draw_title(canvas, run);
  draw_progress(canvas, run, 2);
  draw_speed(canvas, run, 3);
  const bool ahead = rows >= 28 && draw_forecast(canvas, run, 4);
  const bool tall = rows >= 34;
  const int checkpoints =
      std::clamp<int>(static_cast<int>(run.checkpoints().size()), 1, tall ? 4 : 1);
  const auto wanted = static_cast<int>(run.warnings().list().size()) + 1;
  const int warnings = std::clamp(wanted, 1, tall ? 8 : rows >= 22 ? 3 : 1);
  const int bars = tall ? 2 : 1;
  const int below = bars + checkpoints + 1 + warnings;
  const int top = ahead ? 6 : 5, plot_rows = rows - top - below - 1;
  int row = top;
  if (plot_rows >= 4) {
    draw_plots(canvas, {0, top, canvas.columns(), plot_rows}, plots_of(run));
    row = top + plot_rows + 1;
  }
  draw_shares(canvas, run, row++);
  if (bars > 1) draw_share_bar(canvas, run, row++);
  row = draw_checkpoints(canvas, run, row, checkpoints);
  row = draw_samples(canvas, run, row);
  draw_warnings(canvas, run, row, std::max(rows - row, 1));
}

}  // namespace edt
