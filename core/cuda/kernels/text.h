// Features of texts.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct TextCall {
  DType dtype = DType::kFloat32;  // of what is written
  std::int64_t batch = 0;
  int tokens = 0, channels = 0;
  const float* features = nullptr;        // [batch, tokens, channels]
  const std::int32_t* lengths = nullptr;  // [batch]
  void* out = nullptr;
};

// out [batch, tokens, channels]
void launch_text_tokens(cudaStream_t stream, const TextCall& call);
// out [batch, channels]
void launch_text_mean(cudaStream_t stream, const TextCall& call);

}  // namespace edt
