// The frame of several runs: a table with a column for each, and their curves in the same plots.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "launcher/text/report.h"
#include "launcher/watch/comparison.h"
#include "launcher/watch/frame.h"
#include "launcher/watch/plots.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

constexpr int kNarrowest = 12, kGap = 2;

// The end of a name tells runs apart.
std::string shortened(const std::string& name, int cells, bool unicode) {
  if (cells_of(name) <= cells) return name;
  std::string end = name;
  while (cells_of(end) >= cells) {
    end.erase(0, 1);
    while (!end.empty() && (static_cast<unsigned char>(end[0]) & 0xC0) == 0x80) end.erase(0, 1);
  }
  return fmt::format("{}{}", unicode ? "…" : "~", end);
}

}  // namespace

void draw_runs(Canvas& canvas, const RunViews& runs, int rows) {
  const int labels = canvas.columns() >= 100 ? 21 : 15;  // columns of the words at the left
  const int fitting = std::max((canvas.columns() - labels + kGap) / (kNarrowest + kGap), 1);
  const int shown = std::min(fitting, static_cast<int>(runs.size()));
  const int width = std::clamp((canvas.columns() - labels + kGap) / shown - kGap, kNarrowest, 28);
  canvas.text(0, 0, fmt::format("{} runs", runs.size()), Ink::kBold);
  for (int i = 0; i < shown; ++i) {
    const auto run = static_cast<std::size_t>(i);
    const bool letters = !canvas.look().unicode || !canvas.look().colours;
    const std::string key = letters ? fmt::format("{}: ", static_cast<char>('a' + i % 26)) : "";
    const int end = labels + i * (width + kGap) + width;
    const std::string name =
        shortened(runs[run]->name(), width - cells_of(key), canvas.look().unicode);
    canvas.text_right(end, 0, key + name, series_ink(run));
  }
  const auto table = compare(runs);
  constexpr int kLowestPlots = 8;
  // Lines at the end of the table give way to the plots.
  const int lines =
      std::min<int>(static_cast<int>(table.size()), std::max(rows - 2 - kLowestPlots, 3));
  for (int line = 0; line < lines; ++line) {
    const ComparedLine& one = table[static_cast<std::size_t>(line)];
    canvas.text(0, line + 1, one.name, Ink::kMuted, labels - 1);
    for (int i = 0; i < shown; ++i) {
      const int begin = labels + i * (width + kGap);
      std::string value = one.values[static_cast<std::size_t>(i)];
      if (cells_of(value) > width) value = shortened(value, width, canvas.look().unicode);
      const Ink ink =
          one.name == "state" ? state_ink(*runs[static_cast<std::size_t>(i)]) : Ink::kPlain;
      canvas.text_right(begin + width, line + 1, value, ink);
    }
  }
  int row = lines + 1;
  if (shown < static_cast<int>(runs.size())) {
    canvas.text(0, row++,
                fmt::format("{} more runs do not fit here; their curves are drawn",
                            static_cast<int>(runs.size()) - shown),
                Ink::kMuted);
  }
  ++row;
  if (rows - row >= 4) draw_plots(canvas, {0, row, canvas.columns(), rows - row}, plots_of(runs));
}

}  // namespace edt
