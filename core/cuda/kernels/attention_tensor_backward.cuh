// A block owns keys and walks over the queries once. With s, p the logits and probabilities,
// transposed here (keys down, queries across), and delta the row sums of dout * out:
//   dv += p^T dout,  dp = v dout^T,  ds = p (dp - delta),  dk += ds^T q,  dq = ds k,
// and the gradient of a table entry is the sum of ds over the pairs that read it. ds passes through
// shared memory for dq and for those sums. Every sum has one owner, so nothing is added atomically:
//   dk, dv   the warp of these keys, in registers
//   dq       a warp for each two result tiles; by block of keys where there are several
//   table    attention_table_gradient.cuh
// Each head size is compiled by itself (attention_tensor_backward_*.cu): the three together take
// the compiler longer than any other file.
#pragma once

#include <cmath>

#include "core/cuda/kernels/attention_table_gradient.cuh"
#include "core/cuda/kernels/attention_tensor.cuh"

namespace edt {
namespace backward {

// For every query: lse in powers of two (infinite beyond the tokens, so that p is 0), delta and the
// table offset. A few neighbouring threads share a row.
template <class Plan>
__device__ void prepare_queries(const AttentionCall& call, int sample, int head, float* lse,
                                float* delta, int* offsets) {
  const AttentionSizes& s = call.sizes;
  constexpr int kShare = 8;
  static_assert(Plan::threads % kShare == 0);
  const int part = threadIdx.x % kShare;
  const std::int64_t at = s.out_at(sample, head);
  const Bf16* const out = static_cast<const Bf16*>(call.out) + at;
  const Bf16* const dout = static_cast<const Bf16*>(call.dout) + at;
  // Whole warps go round together: the shuffles below name all 32 lanes.
  const int padded = Plan::padded_tokens(s);
  for (int first = 0; first < padded; first += Plan::threads / kShare) {
    const int i = first + threadIdx.x / kShare;
    float sum = 0;
    if (i < s.tokens) {
      for (int c = part * 4; c < s.size; c += kShare * 4) {
        const uint2 a = *reinterpret_cast<const uint2*>(out + i * s.out_stride() + c);
        const uint2 b = *reinterpret_cast<const uint2*>(dout + i * s.out_stride() + c);
        const float2 a0 = unpack_bf16(a.x), a1 = unpack_bf16(a.y), b0 = unpack_bf16(b.x),
                     b1 = unpack_bf16(b.y);
        sum += a0.x * b0.x + a0.y * b0.y + a1.x * b1.x + a1.y * b1.y;
      }
    }
#pragma unroll
    for (int offset = kShare / 2; offset > 0; offset /= 2) {
      sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    }
    if (part != 0 || i >= padded) continue;
    const bool real = i < s.tokens;
    lse[i] = real ? kLog2e * call.lse[s.lse_at(sample, head) + i] : INFINITY;
    delta[i] = sum;
    offsets[i] = s.query_offset(call.place(sample, min(i, s.tokens - 1)));
  }
}

// Where things lie in a block's shared memory: all of its keys, two tiles of queries.
template <class Plan>
struct BlockMemory {
  Bf16 *k, *v;         // [keys]
  Bf16 *q, *dout;      // [2][queries]
  Bf16* ds;            // [keys][queries]
  void* sums;          // for the table's gradient
  float *lse, *delta;  // of every query
  int* query_offsets;  // into the table
  float* table;        // of this head

  __device__ BlockMemory(const AttentionSizes& s, bool skewed) {
    const int padded_tokens = Plan::padded_tokens(s);
    k = reinterpret_cast<Bf16*>(dynamic_shared());
    v = k + Plan::key_elements;
    q = v + Plan::key_elements;
    dout = q + 2 * Plan::query_elements;
    ds = dout + 2 * Plan::query_elements;
    lse = reinterpret_cast<float*>(ds + Plan::keys * Plan::ds_stride);
    if (skewed) {
      sums = lse;
      lse += Plan::queries * Plan::skewed_stride / 2;
    }
    delta = lse + padded_tokens;
    query_offsets = reinterpret_cast<int*>(delta + padded_tokens);
    table = reinterpret_cast<float*>(query_offsets + padded_tokens);
    if (!skewed) sums = table + s.table_rows();
  }
};

// Result tiles of 16 keys (down) and a tile of queries (across), for the warp's keys.
template <class Plan>
using Scores = float[Plan::row_tiles][Plan::queries / 8][4];
template <class Plan>
using RoundedScores = unsigned[Plan::row_tiles][Plan::queries / 16][4];

// What a warp knows of its keys; a thread holds two rows of 16, r = 0 and 1, eight apart.
template <class Plan>
struct Keys {
  int lane = threadIdx.x % 32;
  int first = threadIdx.x / 32 * 16 * Plan::row_tiles;  // in the block
  int key[Plan::row_tiles][2];
  const float* bias[Plan::row_tiles][2];  // of the query whose offset is 0
  const float* grid_bias;  // on a whole grid: of query 0 and the first of the lane's keys
  bool real[Plan::row_tiles][2];
  float dk[Plan::row_tiles][Plan::tiles][4] = {}, dv[Plan::row_tiles][Plan::tiles][4] = {};

  __device__ Keys(const AttentionCall& call, int sample, int first_key, const float* table) {
    const AttentionSizes& s = call.sizes;
    const int grid_row = min((first_key + first) / s.columns, s.rows - 1);
    grid_bias = table + s.query_offset(0) - s.key_offset(grid_row * s.columns) - lane / 4;
#pragma unroll
    for (int tile = 0; tile < Plan::row_tiles; ++tile) {
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        key[tile][r] = first_key + in_block(tile, r);
        bias[tile][r] = table - s.key_offset(call.place(sample, min(key[tile][r], s.tokens - 1)));
        real[tile][r] = key[tile][r] < s.tokens;
      }
    }
  }
  __device__ int in_block(int tile, int r) const { return first + tile * 16 + lane / 4 + 8 * r; }
};

// The products of the warp's rows of `keys` with those of a tile of queries.
template <class Plan>
__device__ void multiply_queries(const Keys<Plan>& keys, const Bf16* key_rows, const Bf16* tile,
                                 Scores<Plan>& products) {
  const Bf16* const own = key_rows + keys.first * Plan::stride;
#pragma unroll
  for (int step = 0; step < Plan::steps; ++step) {
    unsigned left[Plan::row_tiles][4];
#pragma unroll
    for (int r = 0; r < Plan::row_tiles; ++r) {
      load_left(left[r], own + r * 16 * Plan::stride + step * 16, Plan::stride);
    }
    multiply_rows<Plan>(left, tile + step * 16, step == 0, products);
  }
}

template <class Plan>
__device__ void round_scores(const Scores<Plan>& p, RoundedScores<Plan>& rounded) {
#pragma unroll
  for (int r = 0; r < Plan::row_tiles; ++r) round_tiles<Plan::queries / 8>(p[r], rounded[r]);
}

// The table's entries of pairs of a key and one of a tile of queries.
template <class Plan, int kColumns>
struct BiasOfTile {
  static constexpr int kSpan = 2 * kColumns - 1;
  const float* first;  // of the warp's first key, for the lane's part of the first 8

  // On a whole grid they lie at fixed distances. Of 32 that are read 18 differ (10 of 16 at 8
  // columns): volatile, because there are no registers to keep them in.
  __device__ BiasOfTile(const Keys<Plan>& keys, const BlockMemory<Plan>&, int first_query)
      : first(keys.grid_bias + first_query / kColumns * kSpan + keys.lane % 4 * 2) {}
  // Of row i of the lane's keys, and its two queries of the tile's t-th 8.
  __device__ float2 operator()(const Keys<Plan>&, int t, int i) const {
    const volatile float* const at = first + table_step<kColumns>(t) - table_step<kColumns>(i);
    return {at[0], at[1]};
  }
};
template <class Plan>
struct BiasOfTile<Plan, 0> {
  const int* offsets;

  __device__ BiasOfTile(const Keys<Plan>& keys, const BlockMemory<Plan>& memory, int first_query)
      : offsets(memory.query_offsets + first_query + keys.lane % 4 * 2) {}
  __device__ float2 operator()(const Keys<Plan>& keys, int t, int i) const {
    const int2 offset = *reinterpret_cast<const int2*>(offsets + t * 8);
    const float* const bias = keys.bias[i / 2][i % 2];
    return {bias[offset.x], bias[offset.y]};
  }
};

// k q^T becomes p^T.
template <class Plan, int kColumns>
__device__ void exponentiate(const Keys<Plan>& keys, const BlockMemory<Plan>& memory, float scale,
                             int first_query, Scores<Plan>& p) {
  const BiasOfTile<Plan, Plan::knows_grids ? kColumns : 0> bias_of(keys, memory, first_query);
#pragma unroll
  for (int t = 0; t < Plan::queries / 8; ++t) {
    const int query = first_query + t * 8 + keys.lane % 4 * 2;
    const float2 sums = *reinterpret_cast<const float2*>(memory.lse + query);
#pragma unroll
    for (int i = 0; i < 2 * Plan::row_tiles; ++i) {
      float(&pair)[4] = p[i / 2][t];
      const int r = i % 2;
      const float2 bias = bias_of(keys, t, i);
      const float first = fmaf(pair[2 * r], scale, bias.x);
      const float second = fmaf(pair[2 * r + 1], scale, bias.y);
      pair[2 * r] = keys.real[i / 2][r] ? exp2_approx(first - sums.x) : 0.0f;
      pair[2 * r + 1] = keys.real[i / 2][r] ? exp2_approx(second - sums.y) : 0.0f;
    }
  }
}

// p becomes ds^T.
template <class Plan>
__device__ void differentiate(const Keys<Plan>& keys, const BlockMemory<Plan>& memory,
                              int first_query, const Scores<Plan>& dp, Scores<Plan>& p) {
#pragma unroll
  for (int t = 0; t < Plan::queries / 8; ++t) {
    const int query = first_query + t * 8 + keys.lane % 4 * 2;
    const float2 d = *reinterpret_cast<const float2*>(memory.delta + query);
#pragma unroll
    for (int r = 0; r < Plan::row_tiles; ++r) {
      p[r][t][0] *= dp[r][t][0] - d.x, p[r][t][1] *= dp[r][t][1] - d.y;
      p[r][t][2] *= dp[r][t][2] - d.x, p[r][t][3] *= dp[r][t][3] - d.y;
    }
  }
}

// To shared memory, and once more skewed.
template <class Plan, int kColumns, class Table>
__device__ void share_ds(const Keys<Plan>& keys, const BlockMemory<Plan>& memory,
                         const Table& table, const RoundedScores<Plan>& ds) {
#pragma unroll
  for (int i = 0; i < 2 * Plan::row_tiles; ++i) {
    const int key = keys.in_block(i / 2, i % 2), pair = keys.lane % 4 * 2;
    Bf16* const row = memory.ds + key * Plan::ds_stride + pair;
#pragma unroll
    for (int t = 0; t < Plan::queries / 8; ++t) {
      const unsigned two = ds[i / 2][t / 2][t % 2 * 2 + i % 2];
      *reinterpret_cast<unsigned*>(row + t * 8) = two;
      if constexpr (kColumns > 0) {
        unsigned short* const to = reinterpret_cast<unsigned short*>(
            table.place(key) + (t * 8 + pair) * Plan::skewed_stride - (t * 8 % kColumns + pair));
        to[0] = static_cast<unsigned short>(two);
        to[Plan::skewed_stride - 1] = static_cast<unsigned short>(two >> 16);
      }
    }
  }
}

// Where this block's share of dq goes: to dqkv where it is the only one.
__device__ inline void put_dq(const AttentionCall& call, int query, int column, float a, float b) {
  const AttentionSizes& s = call.sizes;
  const int block = blockIdx.x, head = blockIdx.y, sample = blockIdx.z;
  if (gridDim.x == 1) {
    Bf16* const to =
        static_cast<Bf16*>(call.dqkv) + s.qkv_at(sample, 0, head) + query * s.qkv_stride() + column;
    put_pair(to, a, b, call.accumulate);
  } else {
    const std::int64_t unit =
        (static_cast<std::int64_t>(block) * s.batch + sample) * s.heads + head;
    float* const to = call.dq + (unit * s.tokens + query) * s.size + column;
    *reinterpret_cast<float2*>(to) = {a, b};
  }
}

// dq of a tile of queries from the block's keys: a warp for each 16 queries and 16 columns. Even
// and odd products have sums of their own: each waits for the one before it.
template <class Plan>
__device__ void multiply_keys(const AttentionCall& call, const BlockMemory<Plan>& memory,
                              float inverse_root, int first_query) {
  const AttentionSizes& s = call.sizes;
  constexpr int kPairs = (Plan::tiles + 1) / 2, kSteps = Plan::keys / 16;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int task = warp; task < Plan::queries / 16 * kPairs; task += Plan::threads / 32) {
    const int pair = task % kPairs, half = task / kPairs;
    const Bf16* const ds = memory.ds + half * 16;
    const Bf16* const k = memory.k + pair * 16;
    float dq[2][2][4] = {};
#pragma unroll 8
    for (int step = 0; step < kSteps; ++step) {
      unsigned left[4], right[4];
      load_left_of_columns(left, ds + step * 16 * Plan::ds_stride, Plan::ds_stride);
      load_right_of_columns(right, k + step * 16 * Plan::stride, Plan::stride);
      mma(dq[step % 2][0], left, right[0], right[1]);
      mma(dq[step % 2][1], left, right[2], right[3]);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int t = i / 2, r = i % 2, column = pair * 16 + t * 8 + lane % 4 * 2;
      const int query = first_query + half * 16 + lane / 4 + 8 * r;
      if (column >= s.size || query >= s.tokens) continue;
      put_dq(call, query, column, (dq[0][t][2 * r] + dq[1][t][2 * r]) * inverse_root,
             (dq[0][t][2 * r + 1] + dq[1][t][2 * r + 1]) * inverse_root);
    }
    __syncwarp();  // products and matrix loads are of whole warps
  }
}

template <class Plan>
__device__ void store(const Keys<Plan>& keys, const AttentionCall& call, float inverse_root) {
  const AttentionSizes& s = call.sizes;
  const int head = blockIdx.y, sample = blockIdx.z;
#pragma unroll
  for (int i = 0; i < 2 * Plan::row_tiles; ++i) {
    const int tile = i / 2, r = i % 2;
    if (!keys.real[tile][r]) continue;
    Bf16* const row = static_cast<Bf16*>(call.dqkv) + keys.key[tile][r] * s.qkv_stride();
    Bf16* const to_k = row + s.qkv_at(sample, 1, head);
    Bf16* const to_v = row + s.qkv_at(sample, 2, head);
#pragma unroll
    for (int t = 0; t < Plan::tiles; ++t) {
      const int column = t * 8 + keys.lane % 4 * 2;
      if (column >= s.size) continue;
      const float *const dk = keys.dk[tile][t] + 2 * r, *const dv = keys.dv[tile][t] + 2 * r;
      put_pair(to_k + column, dk[0] * inverse_root, dk[1] * inverse_root, call.accumulate);
      put_pair(to_v + column, dv[0], dv[1], call.accumulate);
    }
  }
}

// How the table's gradient is formed: on the tensor cores for grids of kColumns, else by threads.
template <class Plan, int kColumns>
struct Table : TableByColumns<Plan, kColumns> {
  __device__ Table(const AttentionCall& call, void* memory)
      : TableByColumns<Plan, kColumns>(call, static_cast<Bf16*>(memory)) {}
};
template <class Plan>
struct Table<Plan, 0> : TableByThreads<Plan> {
  __device__ Table(const AttentionCall& call, void* memory)
      : TableByThreads<Plan>(call, static_cast<float*>(memory)) {}
};

template <int kHead, int kWarps, int kColumns>
__global__ void __launch_bounds__(32 * kWarps, kWarps == 4 ? 3 : 1)
    attention_backward(AttentionCall call) {
  wait_for_earlier_kernels();
  using Plan = BackwardPlan<kHead, kWarps>;
  const AttentionSizes& s = call.sizes;
  const BlockMemory<Plan> memory(s, kColumns > 0);
  const int head = blockIdx.y, sample = blockIdx.z, first_key = blockIdx.x * Plan::keys;
  const std::int64_t stride = s.qkv_stride();
  const Bf16* const qkv = static_cast<const Bf16*>(call.qkv);
  const Bf16* const dout = static_cast<const Bf16*>(call.dout) + s.out_at(sample, head);
  const RowCopier<Plan, Plan::queries> copy_q(qkv + s.qkv_at(sample, 0, head), stride, s);
  const RowCopier<Plan, Plan::queries> copy_dout(dout, s.out_stride(), s);

  const RowCopier<Plan, Plan::keys> copy_k(qkv + s.qkv_at(sample, 1, head), stride, s);
  const RowCopier<Plan, Plan::keys> copy_v(qkv + s.qkv_at(sample, 2, head), stride, s);
  copy_k(memory.k, first_key);
  copy_v(memory.v, first_key);
  copy_q(memory.q, 0);
  copy_dout(memory.dout, 0);
  commit_copies();
  load_table<Plan>(call, head, memory.table);
  if constexpr (kColumns > 0) {
    float* const beyond = memory.table + s.table_rows();
    for (int i = threadIdx.x; i < Plan::spare_entries(s); i += Plan::threads) beyond[i] = 0;
  }
  Table<Plan, kColumns> table(call, memory.sums);
  prepare_queries<Plan>(call, sample, head, memory.lse, memory.delta, memory.query_offsets);
  wait_for_copies();
  __syncthreads();

  const float inverse_root = 1.0f / sqrtf(static_cast<float>(s.size));
  Keys<Plan> keys(call, sample, first_key, memory.table);
  const int query_tiles = Plan::padded_tokens(s) / Plan::queries;
#pragma unroll 1
  for (int tile = 0; tile < query_tiles; ++tile) {
    const int first_query = tile * Plan::queries;
    const Bf16* const q_tile = memory.q + tile % 2 * Plan::query_elements;
    const Bf16* const dout_tile = memory.dout + tile % 2 * Plan::query_elements;
    if (tile + 1 < query_tiles) {
      const int next = (tile + 1) % 2 * Plan::query_elements, first = first_query + Plan::queries;
      copy_q(memory.q + next, first);
      copy_dout(memory.dout + next, first);
      commit_copies();
    }
    Scores<Plan> p, dp;
    RoundedScores<Plan> rounded;
    multiply_queries(keys, memory.k, q_tile, p);
    exponentiate<Plan, kColumns>(keys, memory, kLog2e * inverse_root, first_query, p);
    round_scores<Plan>(p, rounded);
    multiply_columns<Plan>(rounded, dout_tile, keys.dv);
    multiply_queries(keys, memory.v, dout_tile, dp);
    differentiate(keys, memory, first_query, dp, p);
    round_scores<Plan>(p, rounded);
    share_ds<Plan, kColumns>(keys, memory, table, rounded);
    multiply_columns<Plan>(rounded, q_tile, keys.dk);
    __syncthreads();  // ds is complete
    multiply_keys(call, memory, inverse_root, first_query);
    if constexpr (kColumns > 0) {
      table.add(first_query);
    } else {
      const int end_query = min(first_query + Plan::queries, s.tokens);
      table.add(call, sample, {memory.ds, first_query, end_query, first_key});
    }
    // The next tile has arrived, and ds and this tile are free.
    wait_for_copies();
    __syncthreads();
  }
  store(keys, call, inverse_root);
  table.store(call);
}

template <int kHead, int kWarps, int kColumns>
void run(cudaStream_t stream, const AttentionCall& call) {
  using Plan = BackwardPlan<kHead, kWarps>;
  const auto kernel = attention_backward<kHead, kWarps, kColumns>;
  const int bytes = Plan::shared_bytes(call.sizes, kColumns > 0);
  const auto blocks = static_cast<unsigned>(divide_up(call.sizes.tokens, Plan::keys));
  const dim3 grid(blocks, call.sizes.heads, call.sizes.batch);
  launch_programmatic({stream, "attention backward", grid, Plan::threads, bytes}, kernel, call);
}

template <int kHead, int kWarps>
void run(cudaStream_t stream, const AttentionCall& call) {
  if (call.skewed) {
    run<kHead, kWarps, skewed_columns(kWarps)>(stream, call);
  } else {
    run<kHead, kWarps, 0>(stream, call);
  }
}

}  // namespace backward

template <int kHead>
void launch_attention_backward(cudaStream_t stream, const AttentionCall& call) {
  const int warps = backward_warps(call.sizes.tokens);
  if (warps == 1) {
    backward::run<kHead, 1, 0>(stream, call);
  } else if (warps == 4) {
    backward::run<kHead, 4>(stream, call);
  } else {
    backward::run<kHead, 8>(stream, call);
  }
}

}  // namespace edt
