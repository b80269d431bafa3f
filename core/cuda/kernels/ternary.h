// Ternary weights: scale[0] sign(w) where |w| is above the edge, 0 elsewhere.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct TernaryCall {
  DType dtype = DType::kFloat32;  // of weight, scale and value
  std::int64_t n = 0;
  const void* weight = nullptr;
  const void* scale = nullptr;    // [1]
  const float* sum = nullptr;     // [1], of all magnitudes,
  std::int64_t elements = 0;      // so many
  void* value = nullptr;          // forward
  const float* dvalue = nullptr;  // backward
  float* dweight = nullptr;
  bool accumulate = false;
};

// Sums of magnitudes, and of gradients by the scale, are those of this many blocks, in order.
std::int64_t ternary_blocks(std::int64_t n);

// partials [ternary_blocks(n)]; sum [1] (+)= what they amount to.
void launch_absolute_sum(cudaStream_t stream, const TernaryCall& call, float* partials, float* sum);
void launch_ternary_quantize(cudaStream_t stream, const TernaryCall& call);
void launch_ternary_gradient(cudaStream_t stream, const TernaryCall& call, float* partials,
                             float* dscale, bool accumulate);

}  // namespace edt
