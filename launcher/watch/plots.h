// Which plots a frame has, and where they go.
#pragma once

#include <vector>

#include "launcher/watch/plot.h"
#include "launcher/watch/run_view.h"

namespace edt {

// Of one run, the most important first: loss (with the masked part), what the model
// was judged by, gradient norm, images/s, share
// of the ceiling or FLOP/s, learning rate, time not spent computing.
std::vector<Plot> plots_of(const RunView& run);
// The same of several runs, one curve for each.
std::vector<Plot> plots_of(const RunViews& runs);

// As many of the plots as fit with a size that can be read, in columns and rows.
void draw_plots(Canvas& canvas, const Area& area, const std::vector<Plot>& plots);

}  // namespace edt
