// What attention's tensor-core kernels, forward and backward, have in common.
#pragma once

#include <type_traits>

#include "core/cuda/kernels/attention.h"
#include "core/cuda/kernels/mma.cuh"

namespace edt {

inline constexpr float kLog2e = 1.4426950408889634f;

// Result tiles [16, 8] side by side: a warp's rows down, kTiles * 8 columns across.
template <int kTiles>
using ResultTiles = float[kTiles][4];

// Calls f with the head size, as a constant, of the kernels for heads of `size` elements.
template <class F>
void with_head(int size, F&& f) {
  if (size <= 56) {
    f(std::integral_constant<int, 56>{});
  } else if (size <= 64) {
    f(std::integral_constant<int, 64>{});
  } else {
    f(std::integral_constant<int, 80>{});
  }
}

// The kernels for heads of up to kHead elements.
template <int kHead>
void launch_attention_backward(cudaStream_t stream, const AttentionCall& call);

// Copies rows of one head into shared memory, zeros beyond the head and the tokens. A thread copies
// a piece of every kStep-th row; where that piece lies is found once, not for every tile.
template <class Plan, int kRows>
class RowCopier {
 public:
  // `head` is the head's row of token 0, `stride` lies between tokens.
  __device__ RowCopier(const Bf16* head, std::int64_t stride, const AttentionSizes& s)
      : column_(threadIdx.x % kLanes * 4),
        row_(threadIdx.x / kLanes),
        tokens_(s.tokens),
        stride_(stride),
        in_head_(column_ < s.size),
        from_(head + min(column_, s.size - 4)) {}

  // Rows [first, first + kRows)
  __device__ void operator()(Bf16* to, int first) const {
    if (column_ >= Plan::padded) return;
    to += row_ * Plan::stride + column_;
    if (first + kRows <= tokens_) {
      const Bf16* from = from_ + (first + row_) * stride_;
#pragma unroll
      for (int i = 0; i < kRows / kStep; ++i) {
        copy8(to + i * kStep * Plan::stride, from, in_head_);
        from += kStep * stride_;
      }
    } else {
#pragma unroll 1
      for (int i = 0; i < kRows / kStep; ++i) {
        const int token = first + row_ + i * kStep;
        copy8(to + i * kStep * Plan::stride, from_ + min(token, tokens_ - 1) * stride_,
              in_head_ && token < tokens_);
      }
    }
  }

 private:
  static constexpr int kLanes = Plan::padded <= 64 ? 16 : 32;  // threads of a row
  static constexpr int kStep = Plan::threads / kLanes;
  static_assert(kRows % kStep == 0 && Plan::padded <= 4 * kLanes);

  int column_, row_, tokens_;
  std::int64_t stride_;
  bool in_head_;
  const Bf16* from_;
};

// A head's column of the bias table, in powers of two.
template <class Plan>
__device__ void load_table(const AttentionCall& call, int head, float* table) {
  const AttentionSizes& s = call.sizes;
  const Bf16* const entries = static_cast<const Bf16*>(call.table);
  for (int i = threadIdx.x; i < s.table_rows(); i += Plan::threads) {
    const std::int64_t at = static_cast<std::int64_t>(i) * s.heads + head;
    table[i] = entries == nullptr ? 0.0f : kLog2e * __bfloat162float(entries[at]);
  }
}

// How far the table's entries of two keys, or of two queries, lie apart whose tokens are 8 n apart
// on a grid of kColumns, a multiple of 8; the first is the head of a row. So result tiles whose
// queries and keys are as far from each other read the same entries.
template <int kColumns>
constexpr int table_step(int n) {
  constexpr int kEights = kColumns / 8;
  return n / kEights * (2 * kColumns - 1) + n % kEights * 8;
}

// Left operands [16, 16] side by side: result tiles rounded to bf16.
template <int kTiles>
using LeftOperands = unsigned[kTiles / 2][4];

template <int kTiles>
__device__ void round_tiles(const ResultTiles<kTiles>& p, LeftOperands<kTiles>& left) {
#pragma unroll
  for (int step = 0; step < kTiles / 2; ++step) {
    const float(&low)[4] = p[2 * step], (&high)[4] = p[2 * step + 1];
    left[step][0] = pack_bf16(low[0], low[1]), left[step][1] = pack_bf16(low[2], low[3]);
    left[step][2] = pack_bf16(high[0], high[1]), left[step][3] = pack_bf16(high[2], high[3]);
  }
}

// sums[r] += left[r] rows^T (= for the first), 16 elements of the head deep; `rows` is
// [8 kTiles][head].
template <class Plan, int kRows, int kTiles>
__device__ void multiply_rows(const unsigned (&left)[kRows][4], const Bf16* rows, bool first,
                              float (&sums)[kRows][kTiles][4]) {
#pragma unroll
  for (int t = 0; t < kTiles; t += 2) {
    unsigned right[4];
    load_right(right, rows + t * 8 * Plan::stride, Plan::stride);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (first) {
        mma_first(sums[r][t], left[r], right[0], right[1]);
        mma_first(sums[r][t + 1], left[r], right[2], right[3]);
      } else {
        mma(sums[r][t], left[r], right[0], right[1]);
        mma(sums[r][t + 1], left[r], right[2], right[3]);
      }
    }
  }
}

// sums[r] += p[r] rows; `rows` is [16 kSteps][head].
template <class Plan, int kRows, int kSteps>
__device__ void multiply_columns(const unsigned (&p)[kRows][kSteps][4], const Bf16* rows,
                                 float (&sums)[kRows][Plan::tiles][4]) {
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int t = 0; t < Plan::tiles; t += 2) {
      unsigned right[4];
      load_right_of_columns(right, rows + step * 16 * Plan::stride + t * 8, Plan::stride);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        mma(sums[r][t], p[r][step], right[0], right[1]);
        if (t + 1 < Plan::tiles) mma(sums[r][t + 1], p[r][step], right[2], right[3]);
      }
    }
  }
}

}  // namespace edt
