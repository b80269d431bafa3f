// The samples of a micro-batch, in host memory.
#pragma once

#include <cstdint>
#include <span>

#include "model/array_request.h"

namespace edt {

struct MicroBatch {
  std::span<const float> latents;           // [B, C, S, S]
  std::span<const std::int32_t> labels;     // [B]
  std::span<const std::int32_t> positions;  // [B], place in the global batch: keys every draw
  std::span<const double> times;            // [B], of the process
  std::span<const float> weights;           // [B], importance weights of the time sampler
  // Arrays that network and companions asked for beside latents, each [B, ...], in the order of
  // asking.
  std::span<const std::span<const float>> arrays = {};
  // [B], of the second group of tokens, where there are groups.
  std::span<const double> second_times = {};
};

}  // namespace edt
