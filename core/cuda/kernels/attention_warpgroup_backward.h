// Attention backward by products of warpgroups (wgmma) and copies of boxes (TMA): sm_90a alone.
// Whole grids of 16 x 16 and 8 x 8, heads of up to 64; everything else is the other kernels'
// (attention.h).
#pragma once

#include <cuda.h>

#include "core/cuda/kernels/attention.h"

namespace edt {

// A block has one head of one sample on a square grid. A warpgroup owns `tiles` times 64 keys; a
// pass takes 64 queries for each warpgroup.
template <int kColumns>
struct WarpgroupBackwardPlan {
  static constexpr int columns = kColumns, rows = kColumns, tokens = rows * columns;
  static constexpr int groups = tokens > 64 ? 2 : 1, tiles = tokens / (64 * groups);
  static constexpr int queries = 64 * groups;
  static constexpr int threads = 128 * groups;
  static constexpr int blocks =
      groups == 2 ? 1 : 4;  // on a multiprocessor: of 255 registers, or 128
  static constexpr int table_entries = (2 * rows - 1) * (2 * columns - 1);
  static_assert(kColumns == 8 || kColumns == 16);

  // q, k, v, dout and ds of a pass; two barriers; lse and delta; the
  // table, its gradient, and a square of it for each warp; two numbers.
  static constexpr int shared_bytes =
      (4 + groups) * tokens * 128 + 2 * 8 +
      (2 * tokens + 2 * table_entries + threads / 32 * columns * (columns == 16 ? 37 : 21) + 2) * 4;
};

// Sizes that it takes. The copy engine wants rows at multiples of 16 bytes: not those of an odd
// number of heads of 52.
inline bool warpgroups_fit_backward(const AttentionSizes& s) {
  return (s.columns == 8 || s.columns == 16) && s.rows == s.columns &&
         s.tokens == s.rows * s.columns && s.size > 32 && s.size <= 64 && s.size % 4 == 0 &&
         s.out_stride() * 2 % 16 == 0;
}
inline int warpgroup_backward_shared_bytes(const AttentionSizes& s) {
  return s.columns == 8 ? WarpgroupBackwardPlan<8>::shared_bytes
                        : WarpgroupBackwardPlan<16>::shared_bytes;
}

// Of qkv as a matrix [B T, 3 H d] and dout as one of [B T, H d], for the copy engine: boxes of
// all tokens of a sample and 64 columns.
struct BackwardMaps {
  CUtensorMap qkv, dout;
};
void launch_attention_warpgroup_backward(cudaStream_t stream, const AttentionCall& call,
                                         const BackwardMaps& maps);

}  // namespace edt
