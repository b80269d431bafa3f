// One synthetic sequence: the joints of somebody who moves in one of several ways, at a pace and
// with a stress that change on the way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edt::data {

// What a frame has: hips and knees in degrees, the height of the body and its sway in metres. So
// their scales differ by orders, as those of recorded motion do.
inline constexpr int kSynthSequenceChannels = 6;
// What is known of each frame beside it: the pace, in steps of the kind's own pace, and the stress,
// in its own strides.
inline constexpr int kSynthFrameChannels = 2;

const std::vector<std::string>& synth_sequence_names();  // of the kinds, which are the classes

// Fills values [kSynthSequenceChannels, frames] and conditions [frames, kSynthFrameChannels], a
// function of the arguments alone. UsageError where there is no such kind.
void draw_synth_sequence(int label, std::uint64_t seed, std::uint32_t sample,
                         std::span<float> values, std::span<float> conditions);

}  // namespace edt::data
