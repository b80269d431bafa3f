// One synthetic curve: a pen that draws one of several figures, over and over, at a pace and in a
// size that change on the way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edt::data {

inline constexpr int kSynthCurveChannels = 2;  // where the pen is in a frame: across and up

const std::vector<std::string>& synth_curve_names();  // of the figures, which are the classes

// Fills values [kSynthCurveChannels, frames] and conditions [frames, 2], pace and size, a function
// of the arguments alone. UsageError where there is no such figure.
void draw_synth_curve(int label, std::uint64_t seed, std::uint32_t sample, std::span<float> values,
                      std::span<float> conditions);

}  // namespace edt::data
