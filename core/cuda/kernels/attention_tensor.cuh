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

// Rows [first, first + kRows) of one head into shared memory, zeros beyond the head and the tokens.
template <class Plan, int kRows>
__device__ void copy_rows(Bf16* to, const Bf16* from, std::int64_t stride, int first,
                          const AttentionSizes& s) {
  constexpr int kPieces = Plan::padded / 4;
  for (int i = threadIdx.x; i < kRows * kPieces; i += Plan::threads) {
    const int row = i / kPieces, column = i % kPieces * 4, token = first + row;
    const bool wanted = token < s.tokens && column < s.size;
    copy8(to + row * Plan::stride + column, wanted ? from + token * stride + column : from, wanted);
  }
}

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

// sums += left rows^T, 16 elements of the head deep; `rows` is [8 kTiles][head].
template <class Plan, int kTiles>
__device__ void multiply_rows(const unsigned (&left)[4], const Bf16* rows,
                              ResultTiles<kTiles>& sums) {
#pragma unroll
  for (int t = 0; t < kTiles; t += 2) {
    unsigned right[4];
    load_right(right, rows + t * 8 * Plan::stride, Plan::stride);
    mma(sums[t], left, right[0], right[1]);
    mma(sums[t + 1], left, right[2], right[3]);
  }
}

// sums += p rows, with p rounded to bf16; `rows` is [8 kTiles][head].
template <class Plan, int kTiles>
__device__ void multiply_columns(const ResultTiles<kTiles>& p, const Bf16* rows,
                                 ResultTiles<Plan::tiles>& sums) {
#pragma unroll
  for (int step = 0; step < kTiles / 2; ++step) {
    const float(&low)[4] = p[2 * step], (&high)[4] = p[2 * step + 1];
    const unsigned left[4] = {pack_bf16(low[0], low[1]), pack_bf16(low[2], low[3]),
                              pack_bf16(high[0], high[1]), pack_bf16(high[2], high[3])};
#pragma unroll
    for (int t = 0; t < Plan::tiles; t += 2) {
      unsigned right[4];
      load_right_of_columns(right, rows + step * 16 * Plan::stride + t * 8, Plan::stride);
      mma(sums[t], left, right[0], right[1]);
      if (t + 1 < Plan::tiles) mma(sums[t + 1], left, right[2], right[3]);
    }
  }
}

}  // namespace edt
