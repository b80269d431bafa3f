// One pass over the keys with a running maximum and sum (Dao, "FlashAttention-2", arXiv
// 2307.08691), in powers of two. The bias of a (query, key) pair is one read from a table in shared
// memory.
#include <cmath>

#include "core/cuda/kernels/attention_tensor.cuh"

namespace edt {
namespace {

constexpr float kLn2 = 0.6931471805599453f;

// What a warp knows of its 16 queries; a thread holds two of their rows, r = 0 and 1, eight apart.
template <class Plan>
struct Queries {
  int lane = threadIdx.x % 32;
  int query[2];
  const float* bias[2];              // of the key whose offset is 0
  unsigned left[Plan::steps][1][4];  // as left operand
  float out[1][Plan::tiles][4] = {};
  float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};  // logits in powers of two

  __device__ Queries(const AttentionCall& call, int sample, int first_query, const Bf16* q_tile,
                     const float* table) {
    const int warp = threadIdx.x / 32;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      query[r] = first_query + warp * 16 + lane / 4 + 8 * r;
      const int place = call.place(sample, min(query[r], call.sizes.tokens - 1));
      bias[r] = table + call.sizes.query_offset(place);
    }
#pragma unroll
    for (int step = 0; step < Plan::steps; ++step) {
      load_left(left[step][0], q_tile + warp * 16 * Plan::stride + step * 16, Plan::stride);
    }
  }
};

// Result tiles of the warp's queries (down) and a tile of keys (across).
template <class Plan>
using Scores = ResultTiles<Plan::keys / 8>;

// p = q k^T
template <class Plan>
__device__ void multiply_keys(const Queries<Plan>& queries, const Bf16* k_tile,
                              Scores<Plan> (&p)[1]) {
#pragma unroll
  for (int step = 0; step < Plan::steps; ++step) {
    multiply_rows<Plan>(queries.left[step], k_tile + step * 16, step == 0, p);
  }
}

// Logits in powers of two.
template <class Plan>
__device__ void add_bias(const Queries<Plan>& queries, float scale, const int* key_offsets,
                         Scores<Plan>& p) {
#pragma unroll
  for (int t = 0; t < Plan::keys / 8; ++t) {
    const int2 offset = *reinterpret_cast<const int2*>(key_offsets + t * 8 + queries.lane % 4 * 2);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      p[t][2 * r] = fmaf(p[t][2 * r], scale, queries.bias[r][offset.x]);
      p[t][2 * r + 1] = fmaf(p[t][2 * r + 1], scale, queries.bias[r][offset.y]);
    }
  }
}

// -inf for all but the first `keys` of a tile.
template <class Plan>
__device__ void cut_off(const Queries<Plan>& queries, int keys, Scores<Plan>& p) {
#pragma unroll
  for (int t = 0; t < Plan::keys / 8; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (t * 8 + queries.lane % 4 * 2 + i % 2 >= keys) p[t][i] = -INFINITY;
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

// What each key takes from its queries' offsets into the table, negative.
template <class Plan>
__device__ void find_keys(const AttentionCall& call, int sample, int keys, int* key_offsets) {
  const AttentionSizes& s = call.sizes;
  for (int j = threadIdx.x; j < keys; j += Plan::threads) {
    key_offsets[j] = -s.key_offset(call.place(sample, min(j, s.tokens - 1)));
  }
}

template <int kHead, int kWarps, bool kModulated>
__global__ void __launch_bounds__(32 * kWarps, ForwardPlan<kHead, kWarps>::blocks)
    attention(AttentionCall call) {
  wait_for_earlier_kernels();
  using Plan = ForwardPlan<kHead, kWarps>;
  const AttentionSizes& s = call.sizes;
  const int head = blockIdx.y, sample = blockIdx.z;
  const int first_query = blockIdx.x * Plan::queries;
  const int key_tiles = (s.tokens + Plan::keys - 1) / Plan::keys;

  // Stages of k and v; the queries pass through the second.
  constexpr int kStage = 2 * Plan::tile_elements;
  Bf16* const stages = reinterpret_cast<Bf16*>(dynamic_shared());
  int* const key_offsets = reinterpret_cast<int*>(stages + 2 * kStage);
  // Last, because its size is odd and the offsets are read in pairs.
  float* const table = reinterpret_cast<float*>(key_offsets + key_tiles * Plan::keys);

  const std::int64_t stride = s.qkv_stride();
  const Bf16* const qkv = static_cast<const Bf16*>(call.qkv);
  const RowCopier<Plan, Plan::keys> copy_k(qkv + s.qkv_at(sample, 1, head), stride, s);
  const RowCopier<Plan, Plan::keys> copy_v(qkv + s.qkv_at(sample, 2, head), stride, s);
  const RowCopier<Plan, Plan::queries> copy_q(qkv + s.qkv_at(sample, 0, head), stride, s);
  copy_q(stages + kStage, first_query);
  copy_k(stages, 0);
  copy_v(stages + Plan::tile_elements, 0);
  commit_copies();
  load_table<Plan>(call, head, table);
  find_keys<Plan>(call, sample, key_tiles * Plan::keys, key_offsets);
  wait_for_copies();
  __syncthreads();
  Queries<Plan> queries(call, sample, first_query, stages + kStage, table);
  __syncthreads();

  const float scale = kLog2e / sqrtf(static_cast<float>(s.size));
#pragma unroll 1
  for (int tile = 0; tile < key_tiles; ++tile) {
    const int first_key = tile * Plan::keys;
    const Bf16* const k_tile = stages + tile % 2 * kStage;
    const Bf16* const v_tile = k_tile + Plan::tile_elements;
    if (tile + 1 < key_tiles) {
      Bf16* const next = stages + (tile + 1) % 2 * kStage;
      copy_k(next, first_key + Plan::keys);
      copy_v(next + Plan::tile_elements, first_key + Plan::keys);
      commit_copies();
    }
    Scores<Plan> scores[1];
    multiply_keys(queries, k_tile, scores);
    Scores<Plan>& p = scores[0];
    add_bias(queries, scale, key_offsets + first_key, p);
    if (first_key + Plan::keys > s.tokens) cut_off(queries, s.tokens - first_key, p);
    float largest[2] = {queries.largest[0], queries.largest[1]};
    find_largest<Plan>(p, largest);
    rescale(queries, largest);
    exponentiate<Plan, kModulated>(queries, call, first_key, p);
    LeftOperands<Plan::keys / 8> left[1];
    round_tiles<Plan::keys / 8>(p, left[0]);
    multiply_columns<Plan>(left, v_tile, queries.out);
    // The next tile has arrived, and this one is free for the tile after it.
    wait_for_copies();
    __syncthreads();
  }
  store(queries, call, sample, head);
}

template <int kHead, int kWarps, bool kModulated>
void run(cudaStream_t stream, const AttentionCall& call) {
  using Plan = ForwardPlan<kHead, kWarps>;
  const auto kernel = attention<kHead, kWarps, kModulated>;
  const int bytes = Plan::shared_bytes(call.sizes);
  const auto blocks = static_cast<unsigned>(divide_up(call.sizes.tokens, Plan::queries));
  const dim3 grid(blocks, call.sizes.heads, call.sizes.batch);
  launch_programmatic({stream, "attention forward", grid, Plan::threads, bytes}, kernel, call);
}

}  // namespace

void launch_attention_tensor(cudaStream_t stream, const AttentionCall& call) {
  with_head(call.sizes.size, [&](auto head) {
    const int warps = forward_warps(call.sizes);
    if (call.modulation != nullptr) {
      run<head, 4, true>(stream, call);
    } else if (warps == 1) {
      run<head, 1, false>(stream, call);
    } else if (warps == 4) {
      run<head, 4, false>(stream, call);
    } else {
      run<head, 8, false>(stream, call);
    }
  });
}

}  // namespace edt
