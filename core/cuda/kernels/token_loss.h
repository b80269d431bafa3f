// Losses of tokens against a target in their order.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

enum class TokenMeasure { kSquare, kDirection, kAbsolute, kSmoothL1, kCrossEntropy };

struct TokenLossCall {
  DType dtype = DType::kFloat32;  // of the tokens; all else is float32
  std::int64_t batch = 0;
  int values = 0;  // of a sample
  int group = 1;   // values that have a direction together
  TokenMeasure measure = TokenMeasure::kSquare;
  double floor = 0;  // of norms
  double beta = 1;   // of smooth L1
  double temperature = 1, target_temperature = 1;
  const void* tokens = nullptr;
  const float *target = nullptr, *factors = nullptr, *weights = nullptr;
};

struct NoiseTargetCall {
  std::int64_t batch = 0;
  int channels = 0, height = 0, width = 0, patch = 0;
  const float *x_start = nullptr, *noise = nullptr, *mix = nullptr;  // mix [batch, 2]
};

void launch_noise_target(cudaStream_t stream, const NoiseTargetCall& call, float* target);
// losses [batch], mean [1]
void launch_token_loss_forward(cudaStream_t stream, const TokenLossCall& call, float* losses,
                               float* mean);
// dtokens (+)= dmean[0] * gradient of the mean
void launch_token_loss_backward(cudaStream_t stream, const TokenLossCall& call, const float* dmean,
                                void* dtokens, bool accumulate);

}  // namespace edt
