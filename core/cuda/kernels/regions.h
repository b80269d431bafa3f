// Tokens of two streams, dealt to regions.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct RegionCall {
  DType dtype = DType::kFloat32;
  std::int64_t rows = 0, tokens = 0, width = 0;  // of joined: samples times regions first
  std::int64_t ratio = 1, run = 1;
  std::int64_t first = 0;  // tokens of the first stream in a region
  void* joined = nullptr;
  void* streams[2] = {nullptr, nullptr};  // null: not there
  bool accumulate[2] = {false, false};    // to the streams; joining, the first says for both
};

// joined (+)= streams; without a stream zeros, or nothing
void launch_join_tokens(cudaStream_t stream, const RegionCall& call);
// streams (+)= joined
void launch_split_tokens(cudaStream_t stream, const RegionCall& call);

}  // namespace edt
