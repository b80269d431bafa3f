// 3 x 3 kernels on the grid of the tokens, and group norm of tokens.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

// A token of the grid `to` reads what stands around `stride` times its place on the grid `from`.
struct TapCall {
  DType dtype = DType::kFloat32;
  std::int64_t batch = 0, channels = 0;
  int rows = 0, columns = 0, stride = 1;  // of the grid that is read
  int to_rows = 0, to_columns = 0;
  const void* x = nullptr;       // [batch, rows * columns, channels], or 9 channels: place by place
  const void* weight = nullptr;  // [channels, 9] or null: 1, and x has 9 channels
  const void* bias = nullptr;
  const void* dy = nullptr;  // [batch, to_rows * to_columns, channels]
  void* y = nullptr;         // of dy's shape
  void* dx = nullptr;        // of x's
  bool accumulate = false;   // dx
};
// y = bias + the sum of what is read
void launch_taps(cudaStream_t stream, const TapCall& call);
// dx of dy
void launch_taps_backward(cudaStream_t stream, const TapCall& call);
// weights [batch, channels, 9] and biases [batch, channels]: the gradients of each sample
void launch_tap_sums(cudaStream_t stream, const TapCall& call, float* weights, float* biases);

struct TokenGroupNormCall {
  DType dtype = DType::kFloat32;  // of all but stats and sums
  std::int64_t batch = 0, tokens = 0;
  int channels = 0, groups = 0;
  float epsilon = 0, slope = 0;
  const void *x = nullptr, *weight = nullptr, *bias = nullptr, *dy = nullptr;
  float* stats = nullptr;  // [batch, groups, 2]
  void* y = nullptr;       // backward: dx
  bool accumulate = false;
};
void launch_token_group_norm(cudaStream_t stream, const TokenGroupNormCall& call);
// plain and with_n [batch, channels]: sums over the tokens of dp and of dp n
void launch_group_norm_sums(cudaStream_t stream, const TokenGroupNormCall& call, float* plain,
                            float* with_n);
void launch_group_norm_input(cudaStream_t stream, const TokenGroupNormCall& call,
                             const float* plain, const float* with_n);

}  // namespace edt
