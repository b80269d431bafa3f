// Shared memory that a block of the tensor-core kernels needs, which not every GPU has. Nothing of
// CUDA: tested anywhere.
#pragma once

#include "core/cuda/kernels/attention_plan.h"

namespace edt {

template <template <int, int> class Plan>
int shared_bytes_of(const AttentionSizes& s, int warps) {
  const auto of_head = [&]<int kHead>() {
    return warps == 1   ? Plan<kHead, 1>::shared_bytes(s)
           : warps == 4 ? Plan<kHead, 4>::shared_bytes(s)
                        : Plan<kHead, 16>::shared_bytes(s);
  };
  return s.size <= 56   ? of_head.template operator()<56>()
         : s.size <= 64 ? of_head.template operator()<64>()
                        : of_head.template operator()<80>();
}

// At most: a block of one warp needs less.
inline int forward_shared_bytes(const AttentionSizes& s) {
  return shared_bytes_of<ForwardPlan>(s, 4);
}
inline int backward_shared_bytes(const AttentionSizes& s) {
  return shared_bytes_of<BackwardPlan>(s, backward_warps(s.tokens));
}

}  // namespace edt
