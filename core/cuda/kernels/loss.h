// The diffusion loss on tokens, with unpatchify as an index.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct LossCall {
  DType dtype = DType::kFloat32;  // of the tokens; all else is float32
  std::int64_t batch = 0;
  int channels = 0, height = 0, width = 0, patch = 0;
  const void* tokens = nullptr;
  const float *x_start = nullptr, *x_t = nullptr, *noise = nullptr;
  const float* coefficients = nullptr;  // [batch, LossCoefficient::kCount]
  const float* sample_weights = nullptr;
};

// mse, vb [batch], mean [1]
void launch_loss_forward(cudaStream_t stream, const LossCall& call, float* mse, float* vb,
                         float* mean);
// dtokens (+)= dmean[0] * gradient of the mean
void launch_loss_backward(cudaStream_t stream, const LossCall& call, const float* dmean,
                          void* dtokens, bool accumulate);

}  // namespace edt
