// How sequences lie in a data set: each a latent one row high, whose channels are the numbers of a
// frame, and beside it what is known of each frame.
#pragma once

#include "data/description.h"

namespace edt::data {

// The array [frames, numbers] of conditions.
inline constexpr const char* kFramesName = "frames";

inline SampleArray frame_array(std::uint64_t frames, std::uint64_t numbers, h5::Type type) {
  return {.name = kFramesName, .shape = {frames, numbers}, .type = type};
}

// Of `frames` frames of `channels` numbers, in the units of the data.
inline Description sequence_description(std::uint64_t channels, std::uint64_t frames) {
  Description d;
  d.channels = static_cast<int>(channels);
  d.height = 1;
  d.width = static_cast<int>(frames);
  d.image_size = 1;
  return d;
}

// [frames, channels] to [channels, frames], as it is stored.
inline void transpose_frames(std::span<const float> frames, std::size_t channels,
                             std::span<float> out) {
  const std::size_t count = frames.size() / channels;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < channels; ++c) out[c * count + i] = frames[i * channels + c];
  }
}

}  // namespace edt::data
