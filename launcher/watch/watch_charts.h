// The charts of the page: one run alone, or the same curve of several runs.
#pragma once

#include <vector>

#include "launcher/page/chart.h"
#include "launcher/watch/run_view.h"

namespace edt {

// Charts that have values; a chart without any is left out.
std::vector<LineChart> charts_of(const RunViews& runs);

}  // namespace edt
