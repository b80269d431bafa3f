// Sizes of attention, and how its kernels cut them into blocks. Nothing of CUDA: tested anywhere.
#pragma once

#include <cstdint>

#include "core/base/host_device.h"

namespace edt {

struct AttentionSizes {
  int batch = 0, tokens = 0, heads = 0, size = 0;
  int rows = 0, columns = 0;  // of the grid

  EDT_HOST_DEVICE int span() const { return 2 * columns - 1; }
  EDT_HOST_DEVICE int table_rows() const { return (2 * rows - 1) * span(); }
  // Row of the bias table of query i and key j = query_offset(i) - key_offset(j).
  EDT_HOST_DEVICE int key_offset(int j) const { return j / columns * span() + j % columns; }
  EDT_HOST_DEVICE int query_offset(int i) const {
    return key_offset(i) + (rows - 1) * span() + columns - 1;
  }
  // Elements: distance of two tokens, and where a head's q (0), k (1) or v (2) begins.
  EDT_HOST_DEVICE std::int64_t qkv_stride() const { return std::int64_t{3} * heads * size; }
  EDT_HOST_DEVICE std::int64_t qkv_at(int sample, int which, int head) const {
    return sample * (tokens * qkv_stride()) + (which * heads + head) * size;
  }
  EDT_HOST_DEVICE std::int64_t out_stride() const { return std::int64_t{1} * heads * size; }
  EDT_HOST_DEVICE std::int64_t out_at(int sample, int head) const {
    return sample * (tokens * out_stride()) + head * size;
  }
  EDT_HOST_DEVICE std::int64_t lse_at(int sample, int head) const {
    return (static_cast<std::int64_t>(sample) * heads + head) * tokens;
  }
};

// The tensor-core kernels for heads of up to kHead = 8 * tiles elements. Shared memory has rows
// of `stride` bf16: the head rounded up to whole products of depth 16, and 8 more, so that eight
// rows start in different banks.
template <int kHead>
struct HeadPlan {
  static constexpr int steps = (kHead + 15) / 16;  // products of depth 16 along the head
  static constexpr int padded = 16 * steps;
  static constexpr int tiles = kHead / 8;  // result tiles along the head
  static constexpr int stride = padded + 8;
  static_assert(kHead % 8 == 0 && stride * 2 % 16 == 0 && stride / 2 % 32 % 8 == 4);
};

// Forward: a block of `warps` warps works on 16 queries each, and walks over the keys in tiles; two
// tiles of k and v are in shared memory. The queries pass through the second two on their way to
// registers.
template <int kHead, int kWarps>
struct ForwardPlan : HeadPlan<kHead> {
  static constexpr int queries = 16 * kWarps;
  static constexpr int keys = kWarps < 4 ? 16 * kWarps : 64;
  static constexpr int threads = 32 * kWarps;
  // On a multiprocessor: of 80 to 168 registers a thread.
  static constexpr int blocks = kWarps == 8   ? 2
                                : kHead <= 64 ? (kWarps == 1 ? 24 : 4)
                                : kWarps == 1 ? 16
                                              : 3;
  static constexpr int tile_elements = keys * HeadPlan<kHead>::stride;
  // Whether there are kernels for grids of known columns: those of larger heads would spill more.
  static constexpr bool knows_grids = kHead <= (kWarps == 8 ? 64 : 56);
  static_assert(queries <= 2 * keys);
  static int shared_bytes(const AttentionSizes& s) {
    const int padded_tokens = (s.tokens + keys - 1) / keys * keys;
    return 4 * tile_elements * 2 + s.table_rows() * 4 + padded_tokens * 4;
  }
};

// Warps of a forward block. Eight read k, v and the table half as often as four; they are taken
// where they leave two blocks for each multiprocessor of an H100. Results do not depend on it.
inline int forward_warps(const AttentionSizes& s) {
  constexpr std::int64_t kBlocks = 264;
  if (s.tokens <= 16) return 1;
  const std::int64_t blocks = std::int64_t{s.batch} * s.heads * ((s.tokens + 127) / 128);
  return s.tokens > 64 && blocks >= kBlocks ? 8 : 4;
}

// Backward: a block owns keys, 16 or 32 to a warp, whose dk and dv stay in registers, and walks
// over the queries in tiles of `queries`. Rows of 32 keys serve each operand that is read twice as
// long.
template <int kHead, int kWarps>
struct BackwardPlan : HeadPlan<kHead> {
  static constexpr int row_tiles = kWarps == 8 ? 2 : 1;  // of 16 keys
  static constexpr int keys = 16 * row_tiles * kWarps;
  static constexpr int threads = 32 * kWarps;
  static constexpr int queries = kWarps == 1 ? 16 : 32;
  static constexpr int key_elements = keys * HeadPlan<kHead>::stride;
  static constexpr int query_elements = queries * HeadPlan<kHead>::stride;
  static constexpr int ds_stride = queries + 8;
  static constexpr int skewed_stride = 2 * keys + 8;
  // Whether the skewed kernels find the table's entries at fixed distances; as above.
  static constexpr bool knows_grids = kHead <= 64;
  static_assert(ds_stride * 2 % 16 == 0 && (kWarps == 1 || skewed_stride / 2 % 32 == 4));

  EDT_HOST_DEVICE static int padded_tokens(const AttentionSizes& s) {
    return (s.tokens + queries - 1) / queries * queries;
  }
  // Of rows of the grid that a tile of queries may have beyond the last.
  EDT_HOST_DEVICE static int spare_entries(const AttentionSizes& s) {
    return (queries / s.columns - 1) * s.span();
  }
  // k and v; two tiles of q and dout; the gradient of the logits, and once more skewed, or the
  // gradient of the table; the table, and what queries beyond the last read of it; for each query
  // its lse, delta and table offset.
  static int shared_bytes(const AttentionSizes& s, bool skewed) {
    const int sums = skewed ? queries * skewed_stride * 2 : s.table_rows() * 4;
    return (2 * key_elements + 4 * query_elements + keys * ds_stride) * 2 + sums +
           (s.table_rows() + (skewed ? spare_entries(s) : 0)) * 4 + 3 * padded_tokens(s) * 4;
  }
};

// Warps of a backward block: the fewest that hold all keys, or 8.
inline int backward_warps(int tokens) { return tokens <= 16 ? 1 : tokens <= 64 ? 4 : 8; }

inline int key_blocks(int tokens) {
  const int warps = backward_warps(tokens), keys = warps == 8 ? 256 : 16 * warps;
  return (tokens + keys - 1) / keys;
}

// Columns of the grids for which the table's gradient is formed on the tensor cores
// (attention_table_gradient.cuh) by blocks of so many warps; 0: none.
constexpr int skewed_columns(int warps) { return warps == 8 ? 16 : warps == 4 ? 8 : 0; }

// Rows of such a grid whose sums one accumulator can keep apart.
inline constexpr int kMostSkewedRows = 48;

// Whether the grid has the columns of which the forward kernels of so many warps know the distances
// of tokens, a token at each place, and queries for all of every block.
inline bool has_known_columns(const AttentionSizes& s, int warps) {
  return s.columns == skewed_columns(warps) && s.tokens == s.rows * s.columns &&
         s.tokens % (16 * warps) == 0;
}

// Whole grid rows in every block of keys, rows of 8 bytes, and tables that fit shared memory. One
// token alone has a constant softmax, whose zero gradient should not be a rounding error.
inline bool tensor_cores_fit(const AttentionSizes& s) {
  const int widest = s.size <= 64 ? 32 : 16;  // sides of a square grid whose tables fit
  return s.tokens > 1 && s.size % 4 == 0 && s.size <= 80 &&
         s.table_rows() <= (2 * widest - 1) * (2 * widest - 1) &&
         (key_blocks(s.tokens) == 1 || 256 % s.columns == 0);
}

// The plain kernels hold a row of the head in the registers of eight threads.
inline constexpr int kPlainHead = 128;

}  // namespace edt
