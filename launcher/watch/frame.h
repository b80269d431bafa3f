// One picture of the terminal view, for a terminal of any size.
#pragma once

#include <string>
#include <vector>

#include "launcher/watch/canvas.h"
#include "launcher/watch/run_view.h"

namespace edt {

// Lines of at most look.columns cells and at most look.rows of them. `footer`: what the last one
// says; empty: there is none.
std::vector<std::string> frame(const RunViews& runs, const Look& look,
                               const std::string& footer = {});

// The same over several runs, in a table with a column for each and overlaid plots.
void draw_one_run(Canvas& canvas, const RunView& run, int rows);
void draw_runs(Canvas& canvas, const RunViews& runs, int rows);

}  // namespace edt
