// Attention forward by products of warpgroups (wgmma) and copies of boxes (TMA): sm_90a alone.
// Whole grids of up to 256 tokens; everything else is the other kernels' (attention.h).
#pragma once

#include <cuda.h>

#include "core/cuda/kernels/attention.h"

namespace edt {

// A block has one head of one sample: its keys and values are in shared memory, all of them, and a
// warpgroup takes 64 queries after 64.
template <int kHead, int kGroups>
struct WarpgroupPlan {
  static constexpr int threads = 128 * kGroups;
  static constexpr int blocks = kGroups == 1 ? 4 : 2;  // on a multiprocessor: of 128 registers
  // Of a tile. Beside results of 80 columns there are no registers for 64.
  static constexpr int keys = kHead > 64 ? 32 : 64;
  static constexpr int steps = kHead / 16, tiles = kHead / 8;
  // Columns beyond 64 lie apart, in rows of 32 bytes.
  static constexpr bool has_rest = kHead > 64;
  static constexpr int row_bytes = 128 + (has_rest ? 32 : 0);
  static_assert(kHead == 64 || kHead == 80);

  // k and v, the table, two barriers; the first at a multiple of 1024.
  static int shared_bytes(const AttentionSizes& s) {
    return 1024 + 2 * s.tokens * row_bytes + s.table_rows() * 4 + 24;
  }
};

// Calls f<kHead, kGroups>().
template <class F>
auto with_warpgroups(const AttentionSizes& s, F&& f) {
  if (s.size <= 64) {
    return s.tokens == 64 ? f.template operator()<64, 1>() : f.template operator()<64, 2>();
  }
  return s.tokens == 64 ? f.template operator()<80, 1>() : f.template operator()<80, 2>();
}

// Sizes that it takes. The copy engine wants rows at multiples of 16 bytes: not those of a qkv
// matrix of an odd number of heads of 52.
inline bool warpgroups_fit(const AttentionSizes& s) {
  return (s.columns == 8 || s.columns == 16) && s.tokens == s.rows * s.columns &&
         s.tokens % 64 == 0 && s.tokens <= 256 && s.size > 32 && s.size <= 80 && s.size % 4 == 0 &&
         s.qkv_stride() * 2 % 16 == 0;
}
inline int warpgroup_shared_bytes(const AttentionSizes& s) {
  return with_warpgroups(
      s, [&]<int kHead, int kGroups>() { return WarpgroupPlan<kHead, kGroups>::shared_bytes(s); });
}

// qkv as a matrix [B T, 3 H d], for the copy engine: boxes of all tokens of a sample and 64
// columns, and of 16 where heads are larger.
struct QkvMaps {
  CUtensorMap columns_64, columns_16 = {};  // of heads of more than 64
};
void launch_attention_warpgroup(cudaStream_t stream, const AttentionCall& call,
                                const QkvMaps& maps);

// Whether this build and this GPU have the kernels.
cudaError_t find_attention_warpgroup();

}  // namespace edt
