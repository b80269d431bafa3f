// What additions gain: an arm beside the same arm without one, to where both come.
#pragma once

#include <string_view>
#include <vector>

#include "launcher/quality/comparison.h"

namespace edt {

// Ratios are what the arm without it takes over what the one with it takes: above 1 is a gain.
// Where the two end differently, the worse of both ends is what is reached.
struct AdditionGain {
  std::size_t arm = 0, base = 0;
  Figure figure = Figure::kHeldOut;
  double level = 0;
  Reaching images, seconds, flops;
};

// Of each arm with an addition whose base is in the study, of each measured figure one.
std::vector<AdditionGain> addition_gains(const QualityReport& report);

// "gained", "lost", where all seeds say so; "within seeds", "one seed", which cannot tell; "not
// there yet" without a ratio. A bound of less than 1 tells nothing: "within seeds".
std::string_view gain_name(const std::optional<Spread>& ratio);

}  // namespace edt
