// What attention's forward kernels do with the rows of a warp between their two products, whatever
// instruction multiplies: the logits of a tile of keys become probabilities by a running maximum
// and sum (Dao, "FlashAttention-2", arXiv 2307.08691), in powers of two. Result tiles lie in
// threads as mma.cuh says.
#pragma once

#include <cmath>

#include "core/cuda/kernels/attention_tensor.cuh"

namespace edt {

inline constexpr float kLn2 = 0.6931471805599453f;

// What a warp knows of its 16 queries; a thread holds two of their rows, r = 0 and 1, eight apart.
template <class Plan>
struct Queries {
  int lane = threadIdx.x % 32;
  int query[2];
  const float* bias[2];  // of the key whose offset is 0
  float out[1][Plan::tiles][4] = {};
  float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};  // logits in powers of two

  // `first` is the warp's first query, `table` the head's.
  __device__ Queries(const AttentionCall& call, int sample, int first, const float* table) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      query[r] = first + lane / 4 + 8 * r;
      const int place = call.place(sample, min(query[r], call.sizes.tokens - 1));
      bias[r] = table + call.sizes.query_offset(place);
    }
  }
};

// Result tiles of the warp's queries (down) and a tile of keys (across).
template <class Plan>
using Scores = ResultTiles<Plan::keys / 8>;

// Logits in powers of two, on a whole grid: what 32 pairs read of the table are 24 entries, at 8
// columns 18, at fixed distances.
template <class Plan, int kColumns>
__device__ void add_bias_of_grid(const Queries<Plan>& queries, float scale, int first_key,
                                 Scores<Plan>& p) {
  constexpr int kSpan = 2 * kColumns - 1;
  const float* const bias = queries.bias[0] - first_key / kColumns * kSpan - queries.lane % 4 * 2;
#pragma unroll
  for (int t = 0; t < Plan::keys / 8; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int entry = table_step<kColumns>(i / 2) - table_step<kColumns>(t) - i % 2;
      p[t][i] = fmaf(p[t][i], scale, bias[entry]);
    }
  }
}

// The largest of each row so far.
template <class Plan>
__device__ void find_largest(const Scores<Plan>& p, float (&largest)[2]) {
#pragma unroll
  for (int t = 0; t < Plan::keys / 8; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) largest[i / 2] = fmaxf(largest[i / 2], p[t][i]);
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {  // the four threads of a row
    largest[r] = fmaxf(largest[r], __shfl_xor_sync(0xffffffffu, largest[r], 1));
    largest[r] = fmaxf(largest[r], __shfl_xor_sync(0xffffffffu, largest[r], 2));
  }
}

// What was summed so far, relative to the new maxima.
template <class Plan>
__device__ void rescale(Queries<Plan>& queries, const float (&largest)[2]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const float shrink = exp2_approx(queries.largest[r] - largest[r]);
    queries.largest[r] = largest[r];
    queries.sum[r] *= shrink;
#pragma unroll
    for (int t = 0; t < Plan::tiles; ++t) {
      queries.out[0][t][2 * r] *= shrink;
      queries.out[0][t][2 * r + 1] *= shrink;
    }
  }
}

// Logits become probabilities, not yet divided by their sum.
template <class Plan, bool kModulated>
__device__ void exponentiate(Queries<Plan>& queries, const AttentionCall& call, int first_key,
                             Scores<Plan>& p) {
  const int tokens = call.sizes.tokens;
#pragma unroll
  for (int t = 0; t < Plan::keys / 8; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      p[t][i] = exp2_approx(p[t][i] - queries.largest[i / 2]);
      queries.sum[i / 2] += p[t][i];
      if constexpr (kModulated) {
        const int query = queries.query[i / 2];
        const int key = first_key + t * 8 + queries.lane % 4 * 2 + i % 2;
        if (query < tokens && key < tokens) p[t][i] *= call.modulation[query * tokens + key];
      }
    }
  }
}

template <class Plan>
__device__ void store(const Queries<Plan>& queries, const AttentionCall& call, int sample,
                      int head) {
  const AttentionSizes& s = call.sizes;
  const int lane = queries.lane;
  float sum[2];
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    sum[r] = queries.sum[r] + __shfl_xor_sync(0xffffffffu, queries.sum[r], 1);
    sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], 2);
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int query = queries.query[r];
    if (query >= s.tokens) continue;
    const float factor = 1.0f / sum[r];
    Bf16* const row =
        static_cast<Bf16*>(call.out) + s.out_at(sample, head) + query * s.out_stride();
#pragma unroll
    for (int t = 0; t < Plan::tiles; ++t) {
      const int column = t * 8 + lane % 4 * 2;
      if (column < s.size) {
        *reinterpret_cast<unsigned*>(row + column) =
            pack_bf16(queries.out[0][t][2 * r] * factor, queries.out[0][t][2 * r + 1] * factor);
      }
    }
    if (call.lse != nullptr && lane % 4 == 0) {
      call.lse[s.lse_at(sample, head) + query] = kLn2 * (queries.largest[r] + log2f(sum[r]));
    }
  }
}

}  // namespace edt
