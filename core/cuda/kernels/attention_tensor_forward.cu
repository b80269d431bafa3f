// By mma.sync, on any GPU that has it. The bias of a (query, key) pair is one read from a table in
// shared memory.
#include "core/cuda/kernels/attention_forward.cuh"

namespace edt {
namespace {

// A warp's 16 rows of q.
template <class Plan>
using LeftRows = unsigned[Plan::steps][1][4];

template <class Plan>
__device__ void load_rows(const Bf16* rows, LeftRows<Plan>& left) {
#pragma unroll
  for (int step = 0; step < Plan::steps; ++step) {
    load_left(left[step][0], rows + step * 16, Plan::stride);
  }
}

// p = q k^T
template <class Plan>
__device__ void multiply_keys(const LeftRows<Plan>& queries, const Bf16* k_tile,
                              Scores<Plan> (&p)[1]) {
#pragma unroll
  for (int step = 0; step < Plan::steps; ++step) {
    multiply_rows<Plan>(queries[step], k_tile + step * 16, step == 0, p);
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

// What each key takes from its queries' offsets into the table, negative.
template <class Plan>
__device__ void find_keys(const AttentionCall& call, int sample, int keys, int* key_offsets) {
  const AttentionSizes& s = call.sizes;
  for (int j = threadIdx.x; j < keys; j += Plan::threads) {
    key_offsets[j] = -s.key_offset(call.place(sample, min(j, s.tokens - 1)));
  }
}

// kColumns: of a grid with a token at each place and a whole number of blocks; 0: of any.
template <int kHead, int kWarps, int kColumns, bool kModulated>
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
  if constexpr (kColumns == 0) {
    find_keys<Plan>(call, sample, key_tiles * Plan::keys, key_offsets);
  }
  wait_for_copies();
  __syncthreads();
  const int first_of_warp = threadIdx.x / 32 * 16;
  LeftRows<Plan> left_queries;
  load_rows<Plan>(stages + kStage + first_of_warp * Plan::stride, left_queries);
  Queries<Plan> queries(call, sample, first_query + first_of_warp, table);
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
    multiply_keys<Plan>(left_queries, k_tile, scores);
    Scores<Plan>& p = scores[0];
    if constexpr (kColumns > 0) {
      add_bias_of_grid<Plan, kColumns>(queries, scale, first_key, p);
    } else {
      add_bias(queries, scale, key_offsets + first_key, p);
      if (first_key + Plan::keys > s.tokens) cut_off(queries, s.tokens - first_key, p);
    }
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

template <int kHead, int kWarps, int kColumns, bool kModulated>
void run(cudaStream_t stream, const AttentionCall& call) {
  using Plan = ForwardPlan<kHead, kWarps>;
  const auto kernel = attention<kHead, kWarps, kColumns, kModulated>;
  const int bytes = Plan::shared_bytes(call.sizes);
  const auto blocks = static_cast<unsigned>(divide_up(call.sizes.tokens, Plan::queries));
  const dim3 grid(blocks, call.sizes.heads, call.sizes.batch);
  launch_programmatic({stream, "attention forward", grid, Plan::threads, bytes}, kernel, call);
}

template <int kHead, int kWarps>
void run(cudaStream_t stream, const AttentionCall& call) {
  if constexpr (ForwardPlan<kHead, kWarps>::knows_grids) {
    if (call.ids == nullptr && has_known_columns(call.sizes, kWarps)) {
      return run<kHead, kWarps, skewed_columns(kWarps), false>(stream, call);
    }
  }
  run<kHead, kWarps, 0, false>(stream, call);
}

}  // namespace

void launch_attention_tensor(cudaStream_t stream, const AttentionCall& call, int warps) {
  with_head(call.sizes.size, [&](auto head) {
    if (call.modulation != nullptr) {
      run<head, 4, 0, true>(stream, call);
    } else if (warps == 1) {
      run<head, 1, 0, false>(stream, call);
    } else if (warps == 4) {
      run<head, 4>(stream, call);
    } else {
      run<head, 8>(stream, call);
    }
  });
}

}  // namespace edt
