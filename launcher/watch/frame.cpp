#include "launcher/watch/frame.h"

namespace edt {

std::vector<std::string> frame(const RunViews& runs, const Look& look, const std::string& footer) {
  Canvas canvas(look);
  const int rows = footer.empty() ? look.rows : look.rows - 1;
  runs.size() == 1 ? draw_one_run(canvas, *runs.front(), rows) : draw_runs(canvas, runs, rows);
  if (!footer.empty()) canvas.text(0, look.rows - 1, footer, Ink::kMuted);
  return canvas.lines();
}

}  // namespace edt
