// Squares of neighbouring tokens as one token with their channels.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct TokenFoldCall {
  DType dtype = DType::kFloat32;
  int rows = 0, columns = 0;  // of the fine tokens' grid
  int side = 1;
  std::int64_t channels = 0, elements = 0;  // of a fine token; of all of them
};

// folded (+)= fine, and back
void launch_fold_tokens(cudaStream_t stream, const TokenFoldCall& call, const void* fine,
                        void* folded, bool accumulate);
void launch_unfold_tokens(cudaStream_t stream, const TokenFoldCall& call, const void* folded,
                          void* fine, bool accumulate);

}  // namespace edt
