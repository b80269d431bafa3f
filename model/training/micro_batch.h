// The samples of a micro-batch, in host memory.
#pragma once

#include <cstdint>
#include <span>

namespace edt {

struct MicroBatch {
  std::span<const float> latents;           // [B, C, S, S]
  std::span<const std::int32_t> labels;     // [B]
  std::span<const std::int32_t> positions;  // [B], place in the global batch: keys every draw
  std::span<const double> times;            // [B], of the process
  std::span<const float> weights;           // [B], importance weights of the time sampler
};

}  // namespace edt
