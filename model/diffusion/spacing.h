// Which of the timesteps a sampler visits, in the notation of the published code.
#pragma once

#include <string_view>
#include <vector>

namespace edt {

// Ascending subset of 0 ... steps-1:
//   "250"       250 timesteps, evenly from the first to the last
//   "10,15,20"  equal sections of the schedule with 10, 15 and 20 timesteps each
//   "ddim25"    25 timesteps at a fixed integer stride from 0 (Song et al., arXiv 2010.02502)
// Throws UsageError when the text is none of these or the schedule cannot be divided so.
std::vector<int> space_timesteps(int steps, std::string_view spacing);

}  // namespace edt
