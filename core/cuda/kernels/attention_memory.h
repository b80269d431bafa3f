// Shared memory that a block of the tensor-core kernels needs, which not every GPU has. Nothing of
// CUDA: tested anywhere.
#pragma once

#include "core/cuda/kernels/attention_plan.h"

namespace edt {

// Calls f<kHead, kWarps>() for the kernel that a block of so many warps runs.
template <class F>
int with_plan(const AttentionSizes& s, int warps, F&& f) {
  const auto of_head = [&]<int kHead>() {
    return warps == 1   ? f.template operator()<kHead, 1>()
           : warps == 4 ? f.template operator()<kHead, 4>()
                        : f.template operator()<kHead, 8>();
  };
  return s.size <= 56   ? of_head.template operator()<56>()
         : s.size <= 64 ? of_head.template operator()<64>()
                        : of_head.template operator()<80>();
}

// At most: a block of one warp needs less.
inline int forward_shared_bytes(const AttentionSizes& s) {
  return with_plan(
      s, 8, [&]<int kHead, int kWarps>() { return ForwardPlan<kHead, kWarps>::shared_bytes(s); });
}
inline int backward_shared_bytes(const AttentionSizes& s, bool skewed = false) {
  return with_plan(s, backward_warps(s.tokens), [&]<int kHead, int kWarps>() {
    return BackwardPlan<kHead, kWarps>::shared_bytes(s, skewed);
  });
}

// Whether the table's gradient is formed on the tensor cores, on a grid of which every place has
// its token, by blocks of which each may have `room` bytes.
inline bool takes_skewed(const AttentionSizes& s, int room) {
  const int columns = skewed_columns(backward_warps(s.tokens));
  return columns > 0 && s.columns == columns && s.rows <= kMostSkewedRows &&
         s.tokens == s.rows * s.columns && backward_shared_bytes(s, true) <= room;
}

}  // namespace edt
