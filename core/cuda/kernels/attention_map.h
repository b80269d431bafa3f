// Maps of where features are large.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct AttentionMapCall {
  DType dtype = DType::kFloat32;  // of x and its gradient; all else is float32
  std::int64_t batch = 0;
  int tokens = 0, width = 0;
  float floor = 0;  // of the norm
  const void* x = nullptr;
};

// map [batch, tokens], norms [batch]
void launch_attention_map_forward(cudaStream_t stream, const AttentionMapCall& call, float* map,
                                  float* norms);
// dx (+)= gradient
void launch_attention_map_backward(cudaStream_t stream, const AttentionMapCall& call,
                                   const float* dmap, const float* map, const float* norms,
                                   void* dx, bool accumulate);

}  // namespace edt
