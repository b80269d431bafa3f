// A block owns keys and walks over the queries once. With s, p the logits and probabilities,
// transposed here (keys down, queries across), and delta the row sums of dout * out:
//   dv += p^T dout,  dp = v dout^T,  ds = p (dp - delta),  dk += ds^T q,  dq = ds k,
// and the gradient of a table entry is the sum of ds over the pairs that read it. ds passes through
// shared memory for dq and for those sums. Every sum has one owner, so nothing is added atomically:
//   dk, dv   the warp of these 16 keys, in registers
//   dq       a warp for each result tile; by block of keys where there are several
//   table    a thread for each two entries (attention_table_gradient.cuh)
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
  Bf16 *k, *v;            // [keys]
  Bf16 *q, *dout;         // [2][queries]
  Bf16* ds;               // [queries][keys]
  float *lse, *delta;     // of every query
  int* query_offsets;     // into the table
  float *table, *dtable;  // of this head

  __device__ explicit BlockMemory(const AttentionSizes& s) {
    const int padded_tokens = Plan::padded_tokens(s);
    k = reinterpret_cast<Bf16*>(dynamic_shared());
    v = k + Plan::key_elements;
    q = v + Plan::key_elements;
    dout = q + 2 * Plan::query_elements;
    ds = dout + 2 * Plan::query_elements;
    lse = reinterpret_cast<float*>(ds + Plan::queries * Plan::ds_stride);
    delta = lse + padded_tokens;
    query_offsets = reinterpret_cast<int*>(delta + padded_tokens);
    table = reinterpret_cast<float*>(query_offsets + padded_tokens);
    dtable = table + s.table_rows();
  }
};

// What a warp knows of its 16 keys; a thread holds two of their rows, r = 0 and 1, eight apart.
template <class Plan>
struct Keys {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int key[2], offset[2];
  bool real[2];
  float dk[Plan::tiles][4] = {}, dv[Plan::tiles][4] = {};

  __device__ Keys(const AttentionCall& call, int sample, int first_key) {
    const AttentionSizes& s = call.sizes;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      key[r] = first_key + warp * 16 + lane / 4 + 8 * r;
      offset[r] = s.key_offset(call.place(sample, min(key[r], s.tokens - 1)));
      real[r] = key[r] < s.tokens;
    }
  }
};

// Result tiles of the warp's keys (down) and a tile of queries (across).
template <class Plan>
using Scores = ResultTiles<Plan::queries / 8>;

// The products of the warp's rows of `keys` with those of a tile of queries.
template <class Plan>
__device__ void multiply_queries(const Keys<Plan>& keys, const Bf16* key_rows, const Bf16* tile,
                                 Scores<Plan>& products) {
  const Bf16* const own = key_rows + keys.warp * 16 * Plan::stride;
#pragma unroll
  for (int step = 0; step < Plan::steps; ++step) {
    unsigned left[4];
    load_left(left, own + step * 16, Plan::stride);
    multiply_rows<Plan, Plan::queries / 8>(left, tile + step * 16, products);
  }
}

// k q^T becomes p^T.
template <class Plan>
__device__ void exponentiate(const Keys<Plan>& keys, const BlockMemory<Plan>& memory, float scale,
                             int first_query, Scores<Plan>& p) {
#pragma unroll
  for (int t = 0; t < Plan::queries / 8; ++t) {
    const int query = first_query + t * 8 + keys.lane % 4 * 2;
    const int2 offset = *reinterpret_cast<const int2*>(memory.query_offsets + query);
    const float2 sums = *reinterpret_cast<const float2*>(memory.lse + query);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float first = fmaf(p[t][2 * r], scale, memory.table[offset.x - keys.offset[r]]);
      const float second = fmaf(p[t][2 * r + 1], scale, memory.table[offset.y - keys.offset[r]]);
      p[t][2 * r] = keys.real[r] ? exp2_approx(first - sums.x) : 0.0f;
      p[t][2 * r + 1] = keys.real[r] ? exp2_approx(second - sums.y) : 0.0f;
    }
  }
}

// p becomes ds^T, which is written to shared memory as well, queries down.
template <class Plan>
__device__ void differentiate(const Keys<Plan>& keys, const BlockMemory<Plan>& memory,
                              int first_query, const Scores<Plan>& dp, Scores<Plan>& p) {
#pragma unroll
  for (int t = 0; t < Plan::queries / 8; ++t) {
    const int query = t * 8 + keys.lane % 4 * 2;  // in the tile
    const float2 d = *reinterpret_cast<const float2*>(memory.delta + first_query + query);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      p[t][2 * r] *= dp[t][2 * r] - d.x;
      p[t][2 * r + 1] *= dp[t][2 * r + 1] - d.y;
      Bf16* const to = memory.ds + query * Plan::ds_stride + keys.warp * 16 + keys.lane / 4 + 8 * r;
      to[0] = __float2bfloat16_rn(p[t][2 * r]);
      to[Plan::ds_stride] = __float2bfloat16_rn(p[t][2 * r + 1]);
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

// dq of a tile of queries from the block's keys: a warp for each 16 queries and 8 columns.
template <class Plan>
__device__ void multiply_keys(const AttentionCall& call, const BlockMemory<Plan>& memory,
                              float inverse_root, int first_query) {
  const AttentionSizes& s = call.sizes;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int task = warp; task < Plan::queries / 16 * Plan::tiles; task += Plan::threads / 32) {
    const int t = task % Plan::tiles, half = task / Plan::tiles;
    float dq[4] = {};
#pragma unroll 4
    for (int step = 0; step < Plan::keys / 16; ++step) {
      unsigned left[4], right[2];
      load_left(left, memory.ds + half * 16 * Plan::ds_stride + step * 16, Plan::ds_stride);
      load_right_of_columns(right, memory.k + step * 16 * Plan::stride + t * 8, Plan::stride);
      mma(dq, left, right[0], right[1]);
    }
    const int column = t * 8 + lane % 4 * 2;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int query = first_query + half * 16 + lane / 4 + 8 * r;
      if (column >= s.size || query >= s.tokens) continue;
      put_dq(call, query, column, dq[2 * r] * inverse_root, dq[2 * r + 1] * inverse_root);
    }
    __syncwarp();  // products and matrix loads are of whole warps
  }
}

template <class Plan>
__device__ void store(const Keys<Plan>& keys, const AttentionCall& call, float inverse_root) {
  const AttentionSizes& s = call.sizes;
  const int head = blockIdx.y, sample = blockIdx.z;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    if (!keys.real[r]) continue;
    Bf16* const row = static_cast<Bf16*>(call.dqkv) + keys.key[r] * s.qkv_stride();
#pragma unroll
    for (int t = 0; t < Plan::tiles; ++t) {
      const int column = t * 8 + keys.lane % 4 * 2;
      if (column >= s.size) continue;
      put_pair(row + s.qkv_at(sample, 1, head) + column, keys.dk[t][2 * r] * inverse_root,
               keys.dk[t][2 * r + 1] * inverse_root, call.accumulate);
      put_pair(row + s.qkv_at(sample, 2, head) + column, keys.dv[t][2 * r], keys.dv[t][2 * r + 1],
               call.accumulate);
    }
  }
}

// This block's share of the table's gradient.
template <class Plan>
__device__ void store_table(const AttentionCall& call, const float* dtable) {
  if (call.dtables == nullptr) return;
  const AttentionSizes& s = call.sizes;
  const std::int64_t unit =
      (static_cast<std::int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * s.heads + blockIdx.y;
  float* const share = call.dtables + unit * s.table_rows();
  for (int i = threadIdx.x; i < s.table_rows(); i += Plan::threads) share[i] = dtable[i];
}

template <int kHead, int kWarps>
__global__ void __launch_bounds__(32 * kWarps, kWarps == 4 ? 3 : 1)
    attention_backward(AttentionCall call) {
  using Plan = BackwardPlan<kHead, kWarps>;
  const AttentionSizes& s = call.sizes;
  const BlockMemory<Plan> memory(s);
  const int head = blockIdx.y, sample = blockIdx.z, first_key = blockIdx.x * Plan::keys;
  const std::int64_t stride = s.qkv_stride();
  const Bf16* const qkv = static_cast<const Bf16*>(call.qkv);
  const Bf16* const q = qkv + s.qkv_at(sample, 0, head);
  const Bf16* const dout = static_cast<const Bf16*>(call.dout) + s.out_at(sample, head);

  copy_rows<Plan, Plan::keys>(memory.k, qkv + s.qkv_at(sample, 1, head), stride, first_key, s);
  copy_rows<Plan, Plan::keys>(memory.v, qkv + s.qkv_at(sample, 2, head), stride, first_key, s);
  copy_rows<Plan, Plan::queries>(memory.q, q, stride, 0, s);
  copy_rows<Plan, Plan::queries>(memory.dout, dout, s.out_stride(), 0, s);
  commit_copies();
  load_table<Plan>(call, head, memory.table);
  for (int i = threadIdx.x; i < s.table_rows(); i += Plan::threads) memory.dtable[i] = 0;
  prepare_queries<Plan>(call, sample, head, memory.lse, memory.delta, memory.query_offsets);
  wait_for_copies();
  __syncthreads();

  const float inverse_root = 1.0f / sqrtf(static_cast<float>(s.size));
  Keys<Plan> keys(call, sample, first_key);
  const int query_tiles = Plan::padded_tokens(s) / Plan::queries;
#pragma unroll 1
  for (int tile = 0; tile < query_tiles; ++tile) {
    const int first_query = tile * Plan::queries;
    const Bf16* const q_tile = memory.q + tile % 2 * Plan::query_elements;
    const Bf16* const dout_tile = memory.dout + tile % 2 * Plan::query_elements;
    if (tile + 1 < query_tiles) {
      const int next = (tile + 1) % 2 * Plan::query_elements, first = first_query + Plan::queries;
      copy_rows<Plan, Plan::queries>(memory.q + next, q, stride, first, s);
      copy_rows<Plan, Plan::queries>(memory.dout + next, dout, s.out_stride(), first, s);
      commit_copies();
    }
    Scores<Plan> p = {}, dp = {};
    multiply_queries(keys, memory.k, q_tile, p);
    exponentiate(keys, memory, kLog2e * inverse_root, first_query, p);
    multiply_columns<Plan, Plan::queries / 8>(p, dout_tile, keys.dv);
    multiply_queries(keys, memory.v, dout_tile, dp);
    differentiate(keys, memory, first_query, dp, p);
    multiply_columns<Plan, Plan::queries / 8>(p, q_tile, keys.dk);
    __syncthreads();  // ds is complete
    multiply_keys(call, memory, inverse_root, first_query);
    const int end_query = min(first_query + Plan::queries, s.tokens);
    add_table_gradient<Plan>(call, sample, {memory.ds, first_query, end_query, first_key},
                             memory.dtable);
    // The next tile has arrived, and ds and this tile are free.
    wait_for_copies();
    __syncthreads();
  }
  store(keys, call, inverse_root);
  store_table<Plan>(call, memory.dtable);
}

template <int kHead, int kWarps>
void run(cudaStream_t stream, const AttentionCall& call) {
  using Plan = BackwardPlan<kHead, kWarps>;
  const auto kernel = attention_backward<kHead, kWarps>;
  const int bytes = Plan::shared_bytes(call.sizes);
  const auto blocks = static_cast<unsigned>(divide_up(call.sizes.tokens, Plan::keys));
  const dim3 grid(blocks, call.sizes.heads, call.sizes.batch);
  launch({stream, "attention backward", grid, Plan::threads, bytes}, kernel, call);
}

}  // namespace backward

template <int kHead>
void launch_attention_backward(cudaStream_t stream, const AttentionCall& call) {
  const int warps = backward_warps(call.sizes.tokens);
  if (warps == 1) {
    backward::run<kHead, 1>(stream, call);
  } else if (warps == 4) {
    backward::run<kHead, 4>(stream, call);
  } else {
    backward::run<kHead, 16>(stream, call);
  }
}

}  // namespace edt
