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

// Forward: a block of `warps` warps works on 16 queries each, and walks over the keys in tiles of
// as many rows; two tiles of k and v are in shared memory.
template <int kHead, int kWarps>
struct ForwardPlan : HeadPlan<kHead> {
  static constexpr int rows = 16 * kWarps;
  static constexpr int threads = 32 * kWarps;
  static constexpr int tile_elements = rows * HeadPlan<kHead>::stride;
  static int shared_bytes(const AttentionSizes& s) {
    const int padded_tokens = (s.tokens + rows - 1) / rows * rows;
    return 4 * tile_elements * 2 + s.table_rows() * 4 + padded_tokens * 4;
  }
};

// Backward: a block owns 16 * warps keys, 16 to a warp, whose dk and dv stay in registers, and
// walks over the queries in tiles of `queries`.
template <int kHead, int kWarps>
struct BackwardPlan : HeadPlan<kHead> {
  static constexpr int keys = 16 * kWarps;
  static constexpr int threads = 32 * kWarps;
  static constexpr int queries = kWarps == 1 ? 16 : 32;
  static constexpr int key_elements = keys * HeadPlan<kHead>::stride;
  static constexpr int query_elements = queries * HeadPlan<kHead>::stride;
  static constexpr int ds_stride = keys + 8;
  static_assert(ds_stride * 2 % 16 == 0 && ds_stride / 2 % 32 % 8 == 4);

  EDT_HOST_DEVICE static int padded_tokens(const AttentionSizes& s) {
    return (s.tokens + queries - 1) / queries * queries;
  }
  // k and v; two tiles of q and dout; the gradient of the logits; bias table and its gradient; for
  // each query its lse, delta and table offset.
  static int shared_bytes(const AttentionSizes& s) {
    return (2 * key_elements + 4 * query_elements + queries * ds_stride) * 2 +
           2 * s.table_rows() * 4 + 3 * padded_tokens(s) * 4;
  }
};

// Warps of a backward block: the smallest that hold all keys, or 16.
inline int backward_warps(int tokens) { return tokens <= 16 ? 1 : tokens <= 64 ? 4 : 16; }

inline int key_blocks(int tokens) {
  const int keys = 16 * backward_warps(tokens);
  return (tokens + keys - 1) / keys;
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
