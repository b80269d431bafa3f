// The gradient of the bias table: the sum of ds over the pairs that read an entry. Every entry has
// one owner, so nothing is added atomically: a thread (TableByThreads), or on grids whose columns
// the kernel knows a warp, by products (TableByColumns).
#pragma once

#include "core/cuda/kernels/attention.h"
#include "core/cuda/kernels/mma.cuh"

namespace edt {

// A tile of ds in shared memory: rows are keys from first_key on, columns queries [first, end).
struct LogitGradients {
  const Bf16* ds;
  int first, end, first_key;
};

// This block's share of the table's gradient.
__device__ inline float* table_share(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  const std::int64_t unit =
      (static_cast<std::int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * s.heads + blockIdx.y;
  return call.dtables + unit * s.table_rows();
}

// A thread owns two entries of the table that lie a grid row apart. An item is a distance of grid
// rows and a residue r of the distance of columns, of which there are g: entries r and r - g of
// that row.
template <class Plan>
class TableByThreads {
 public:
  // `sums` has a float for each entry, in shared memory.
  __device__ TableByThreads(const AttentionCall& call, float* sums) : sums_(sums) {
    for (int i = threadIdx.x; i < call.sizes.table_rows(); i += Plan::threads) sums_[i] = 0;
  }

  __device__ void add(const AttentionCall& call, int sample, const LogitGradients& tile) {
    if (call.dtables == nullptr) return;
    if (call.ids == nullptr) {
      add_whole_grid(call.sizes, tile);
    } else {
      add_visible(call, sample, tile);
    }
  }

  // After a barrier.
  __device__ void store(const AttentionCall& call) const {
    if (call.dtables == nullptr) return;
    float* const share = table_share(call);
    for (int i = threadIdx.x; i < call.sizes.table_rows(); i += Plan::threads) share[i] = sums_[i];
  }

 private:
  __device__ void add_whole_grid(const AttentionSizes& s, const LogitGradients& tile) {
    const int g = s.columns;
    for (int item = threadIdx.x; item < (2 * s.rows - 1) * g; item += Plan::threads) {
      const int r = item % g, row = item / g, down = row - (s.rows - 1);
      float same = 0, wrapped = 0;
      for (int y = tile.first / g; y <= (tile.end - 1) / g; ++y) {
        const int key_row = (y - down) * g - tile.first_key;
        if (y - down < 0 || y - down >= s.rows || key_row < 0 || key_row >= Plan::keys) continue;
        const int begin = max(tile.first - y * g, 0), stop = min(tile.end - y * g, g);
        // Query x of the row and its partner, key x - r.
        const Bf16* const line = tile.ds + (key_row - r) * Plan::ds_stride + y * g - tile.first;
        for (int x = max(begin, r); x < stop; ++x) {
          same += __bfloat162float(line[x * (Plan::ds_stride + 1)]);
        }
        for (int x = begin; x < min(stop, r); ++x) {
          wrapped += __bfloat162float(line[x * (Plan::ds_stride + 1) + g * Plan::ds_stride]);
        }
      }
      put(s, item, same, wrapped);
    }
  }

  // The same where tokens were dropped: each query's partner is looked up.
  __device__ void add_visible(const AttentionCall& call, int sample, const LogitGradients& tile) {
    const AttentionSizes& s = call.sizes;
    const int g = s.columns;
    for (int item = threadIdx.x; item < (2 * s.rows - 1) * g; item += Plan::threads) {
      const int r = item % g, row = item / g, down = row - (s.rows - 1);
      float same = 0, wrapped = 0;
      for (int query = tile.first; query < tile.end; ++query) {
        const int place = call.place(sample, query), x = place % g, key_y = place / g - down;
        if (key_y < 0 || key_y >= s.rows) continue;
        const int key =
            call.token_at(sample, key_y * g + (x >= r ? x - r : x - r + g)) - tile.first_key;
        if (key < 0 || key >= Plan::keys) continue;
        (x >= r ? same : wrapped) +=
            __bfloat162float(tile.ds[key * Plan::ds_stride + query - tile.first]);
      }
      put(s, item, same, wrapped);
    }
  }

  __device__ void put(const AttentionSizes& s, int item, float same, float wrapped) {
    const int g = s.columns, r = item % g;
    float* const entries = sums_ + item / g * s.span() + g - 1;
    entries[r] += same;
    if (r > 0) entries[r - g] += wrapped;
  }

  float* sums_;
};

// On a whole grid of g = kColumns columns ds lies in shared memory once more, skewed: in the row of
// query (y, x), of the 2 g places of each row y' of the block's keys, key (y', x') has place
// x' - x + g - 1, and what is left is 0. So an entry, a distance y - y' and a place, is summed down
// a column, which a product with a right operand of ones does for 16 places at once. That operand
// has eight columns and needs one: by its column the accumulator keeps sums of up to eight
// distances apart. A warp owns those distances that leave one of its residues of the block's rows
// of keys; of each row of queries, each residue is one row of keys.
template <class Plan, int kColumns>
class TableByColumns {
 public:
  static constexpr int kPlaces = 2 * kColumns;

  __device__ TableByColumns(const AttentionCall& call, Bf16* skewed) : skewed_(skewed) {
    buckets_ = 2 + (call.sizes.rows - 1) / kKeyRows;
    constexpr int kWords = Plan::queries * Plan::skewed_stride / 8;
    for (int i = threadIdx.x; i < kWords; i += Plan::threads) {
      reinterpret_cast<uint4*>(skewed_)[i] = make_uint4(0, 0, 0, 0);
    }
  }

  // Where ds of a key of the block goes, for query 0 of a tile; query q has it q rows on and
  // q % g places before.
  __device__ Bf16* place(int key) const {
    return skewed_ + key / kColumns * kPlaces + key % kColumns + kColumns - 1;
  }

  __device__ void add(int first_query) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, first_y = first_query / kColumns;
#pragma unroll
    for (int row = 0; row < Plan::queries / kColumns; ++row) {
      const int y = first_y + row;
      // A product takes 16 queries, of which this row may be a half.
      constexpr int kRowsOfProduct = 16 / kColumns;
      const Bf16* const queries = skewed_ + row / kRowsOfProduct * 16 * Plan::skewed_stride;
#pragma unroll
      for (int share = 0; share < kShares; ++share) {
        const int residue = warp + share * kWarps;
        const int key_row = (y - residue) & (kKeyRows - 1);
        const int bucket = share * buckets_ + (y - key_row + kKeyRows) / kKeyRows;
        const unsigned ones = lane / 4 == bucket ? kOnes : 0;
        const unsigned low = kRowsOfProduct == 1 || row % 2 == 0 ? ones : 0,
                       high = kRowsOfProduct == 1 || row % 2 == 1 ? ones : 0;
#pragma unroll
        for (int t = 0; t < kTiles; ++t) {
          unsigned left[4];
          load_left_of_columns(left, queries + key_row * kPlaces + t * 16, Plan::skewed_stride);
          mma(sums_[t], left, low, high);
        }
      }
    }
  }

  __device__ void store(const AttentionCall& call) const {
    const AttentionSizes& s = call.sizes;
    float* const share = table_share(call);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int first_row = blockIdx.x * kKeyRows;
    // No key of this block is as far from a query as these entries say.
    for (int i = threadIdx.x; i < s.table_rows(); i += Plan::threads) {
      const int distance = i / s.span() - (s.rows - 1) + first_row;
      if (distance <= -kKeyRows || distance >= s.rows) share[i] = 0;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column = lane % 4 * 2 + i % 2, owned = column / buckets_;
      const int distance = warp + owned * kWarps + (column % buckets_ - 1) * kKeyRows - first_row;
      if (owned >= kShares || distance <= -s.rows || distance >= s.rows) continue;
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        const int place = t * 16 + lane / 4 + i / 2 * 8;
        if (place == kPlaces - 1) continue;
        share[(distance + s.rows - 1) * s.span() + kPlaces - 2 - place] = sums_[t][i];
      }
    }
  }

 private:
  static constexpr unsigned kOnes = 0x3f803f80u;  // two, as bf16
  static constexpr int kWarps = Plan::threads / 32;
  static constexpr int kKeyRows = Plan::keys / kColumns;
  static constexpr int kShares = kKeyRows / kWarps;  // residues of a warp
  static constexpr int kTiles = kPlaces / 16;
  static_assert((kKeyRows & (kKeyRows - 1)) == 0 && kKeyRows % kWarps == 0);
  static_assert(kColumns == 8 || kColumns == 16);
  static_assert(kShares * (2 + (kMostSkewedRows - 1) / kKeyRows) <= 8 || kColumns == 8);

  Bf16* skewed_;
  int buckets_;  // distances of one residue
  float sums_[kTiles][4] = {};
};

}  // namespace edt
