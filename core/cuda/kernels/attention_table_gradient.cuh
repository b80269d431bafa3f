// The gradient of the bias table: the sum of ds over the pairs that read an entry. A thread owns
// two entries of the table that lie a grid row apart, so nothing is added atomically. An item is a
// distance of grid rows and a residue r of the distance of columns, of which there are g: entries r
// and r - g of that row.
#pragma once

#include "core/cuda/kernels/attention.h"
#include "core/cuda/kernels/mma.cuh"

namespace edt {

// A tile of ds in shared memory: rows are queries [first, end), columns keys from first_key on.
struct LogitGradients {
  const Bf16* ds;
  int first, end, first_key;
};

template <class Plan>
__device__ void add_to_table(const AttentionSizes& s, const LogitGradients& tile, float* dtable) {
  const int g = s.columns;
  for (int item = threadIdx.x; item < (2 * s.rows - 1) * g; item += Plan::threads) {
    const int r = item % g, row = item / g, down = row - (s.rows - 1);
    float same = 0, wrapped = 0;
    for (int y = tile.first / g; y <= (tile.end - 1) / g; ++y) {
      const int key_row = (y - down) * g - tile.first_key;
      if (y - down < 0 || y - down >= s.rows || key_row < 0 || key_row >= Plan::keys) continue;
      const int begin = max(tile.first - y * g, 0), stop = min(tile.end - y * g, g);
      const Bf16* const line = tile.ds + (y * g - tile.first) * Plan::ds_stride + key_row - r;
      for (int x = max(begin, r); x < stop; ++x) {
        same += __bfloat162float(line[x * (Plan::ds_stride + 1)]);
      }
      for (int x = begin; x < min(stop, r); ++x) {
        wrapped += __bfloat162float(line[x * (Plan::ds_stride + 1) + g]);
      }
    }
    float* const entries = dtable + row * s.span() + g - 1;
    entries[r] += same;
    if (r > 0) entries[r - g] += wrapped;
  }
}

// The same where tokens were dropped: each query's partner is looked up.
template <class Plan>
__device__ void add_visible_to_table(const AttentionCall& call, int sample,
                                     const LogitGradients& tile, float* dtable) {
  const AttentionSizes& s = call.sizes;
  const int g = s.columns;
  for (int item = threadIdx.x; item < (2 * s.rows - 1) * g; item += Plan::threads) {
    const int r = item % g, row = item / g, down = row - (s.rows - 1);
    float same = 0, wrapped = 0;
    for (int query = tile.first; query < tile.end; ++query) {
      const int place = call.place(sample, query), x = place % g, key_y = place / g - down;
      if (key_y < 0 || key_y >= s.rows) continue;
      const int key = call.token_at(sample, key_y * g + (x >= r ? x - r : x - r + g));
      const int column = key - tile.first_key;
      if (key < 0 || column < 0 || column >= Plan::keys) continue;
      (x >= r ? same : wrapped) +=
          __bfloat162float(tile.ds[(query - tile.first) * Plan::ds_stride + column]);
    }
    float* const entries = dtable + row * s.span() + g - 1;
    entries[r] += same;
    if (r > 0) entries[r - g] += wrapped;
  }
}

template <class Plan>
__device__ void add_table_gradient(const AttentionCall& call, int sample,
                                   const LogitGradients& tile, float* dtable) {
  if (call.dtables == nullptr) return;
  if (call.ids == nullptr) {
    add_to_table<Plan>(call.sizes, tile, dtable);
  } else {
    add_visible_to_table<Plan>(call, sample, tile, dtable);
  }
}

}  // namespace edt
