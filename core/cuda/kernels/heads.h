// Norm and rotation of the heads of queries and keys.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

inline constexpr int kMostHeadSize = 256;

struct HeadCall {
  DType dtype = DType::kFloat32;
  std::int64_t rows = 0;               // samples times tokens
  std::int64_t places = 0, heads = 0;  // rows of the rotation: of a sample, or of all
  int size = 0;
  const float* norms = nullptr;  // [2 or 4, size], or null
  bool layer = false;            // four rows
  float epsilon = 0;
  const float* rotation = nullptr;  // [places, size], or null

  const void* x = nullptr;  // qkv; of backward with norms only
  const void* dy = nullptr;
  void* y = nullptr;  // forward: the result; backward: dqkv, or null
  bool accumulate = false;
  float* partials = nullptr;  // backward with norms: [2, head_slices(), 2, size]
};

// Blocks that share the heads of queries, and those of keys: a function of the shape alone.
std::int64_t head_slices(const HeadCall& call);

void launch_heads_forward(cudaStream_t stream, const HeadCall& call);
// The partial sums are those of the weights' and of the biases' gradients.
void launch_heads_backward(cudaStream_t stream, const HeadCall& call);

}  // namespace edt
