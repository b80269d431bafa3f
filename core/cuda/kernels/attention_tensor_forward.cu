// One pass over the keys with a running maximum and sum (Dao, "FlashAttention-2", arXiv
// 2307.08691), in powers of two. The bias of a (query, key) pair is one read from a table in shared
// memory.
#include <cmath>

#include "core/cuda/kernels/attention.h"
#include "core/cuda/kernels/mma.cuh"

namespace edt {
namespace {

constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

// Rows [first, first + rows) of one head into shared memory, zeros beyond the head and the tokens.
template <class Plan>
__device__ void copy_rows(Bf16* to, const Bf16* from, std::int64_t stride, int first,
                          const AttentionSizes& s) {
  constexpr int kPieces = Plan::padded / 4;
  for (int i = threadIdx.x; i < Plan::rows * kPieces; i += Plan::threads) {
    const int row = i / kPieces, column = i % kPieces * 4, token = first + row;
    const bool wanted = token < s.tokens && column < s.size;
    copy8(to + row * Plan::stride + column, wanted ? from + token * stride + column : from, wanted);
  }
}

template <int kHead, int kWarps, bool kModulated>
__global__ void __launch_bounds__(32 * kWarps) attention(AttentionCall call) {
  using Plan = ForwardPlan<kHead, kWarps>;
  constexpr int kTiles = Plan::rows / 8;  // result tiles along the keys
  const AttentionSizes& s = call.sizes;
  Bf16* const k_tiles = reinterpret_cast<Bf16*>(dynamic_shared());
  Bf16* const v_tiles = k_tiles + 2 * Plan::tile_elements;
  int* const key_offsets = reinterpret_cast<int*>(v_tiles + 2 * Plan::tile_elements);

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int head = blockIdx.y, sample = blockIdx.z;
  const int first_query = blockIdx.x * Plan::rows;
  const int key_tiles = (s.tokens + Plan::rows - 1) / Plan::rows;
  // Last, because its size is odd and the offsets are read in pairs.
  float* const table = reinterpret_cast<float*>(key_offsets + key_tiles * Plan::rows);
  const std::int64_t stride = s.qkv_stride();
  const Bf16* const qkv = static_cast<const Bf16*>(call.qkv);
  const Bf16* const q = qkv + s.qkv_at(sample, 0, head);
  const Bf16* const k = qkv + s.qkv_at(sample, 1, head);
  const Bf16* const v = qkv + s.qkv_at(sample, 2, head);

  // The queries pass through the memory of the second tile of keys on their way to registers.
  Bf16* const q_tile = k_tiles + Plan::tile_elements;
  copy_rows<Plan>(q_tile, q, stride, first_query, s);
  copy_rows<Plan>(k_tiles, k, stride, 0, s);
  copy_rows<Plan>(v_tiles, v, stride, 0, s);
  commit_copies();
  for (int i = threadIdx.x; i < s.table_rows(); i += Plan::threads) {
    const Bf16* entries = static_cast<const Bf16*>(call.table);
    table[i] =
        entries == nullptr
            ? 0.0f
            : kLog2e * __bfloat162float(entries[static_cast<std::int64_t>(i) * s.heads + head]);
  }
  for (int j = threadIdx.x; j < key_tiles * Plan::rows; j += Plan::threads) {
    key_offsets[j] = s.key_offset(call.place(sample, min(j, s.tokens - 1)));
  }
  wait_for_copies();
  __syncthreads();
  unsigned q_left[Plan::steps][4];
#pragma unroll
  for (int step = 0; step < Plan::steps; ++step) {
    load_left(q_left[step], q_tile + warp * 16 * Plan::stride + step * 16, Plan::stride);
  }
  __syncthreads();

  const float scale = kLog2e / sqrtf(static_cast<float>(s.size));
  const int query[2] = {first_query + warp * 16 + lane / 4, first_query + warp * 16 + lane / 4 + 8};
  const int query_offset[2] = {s.query_offset(call.place(sample, min(query[0], s.tokens - 1))),
                               s.query_offset(call.place(sample, min(query[1], s.tokens - 1)))};
  float out[Plan::tiles][4] = {};
  float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};

#pragma unroll 1
  for (int tile = 0; tile < key_tiles; ++tile) {
    const int first_key = tile * Plan::rows;
    const Bf16* const k_tile = k_tiles + tile % 2 * Plan::tile_elements;
    const Bf16* const v_tile = v_tiles + tile % 2 * Plan::tile_elements;
    if (tile + 1 < key_tiles) {
      const int next = (tile + 1) % 2 * Plan::tile_elements;
      copy_rows<Plan>(k_tiles + next, k, stride, first_key + Plan::rows, s);
      copy_rows<Plan>(v_tiles + next, v, stride, first_key + Plan::rows, s);
      commit_copies();
    }

    float p[kTiles][4] = {};
#pragma unroll
    for (int step = 0; step < Plan::steps; ++step) {
#pragma unroll
      for (int t = 0; t < kTiles; t += 2) {
        unsigned right[4];
        load_right(right, k_tile + t * 8 * Plan::stride + step * 16, Plan::stride);
        mma(p[t], q_left[step], right[0], right[1]);
        mma(p[t + 1], q_left[step], right[2], right[3]);
      }
    }

    float tile_largest[2] = {largest[0], largest[1]};
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      const int key = first_key + t * 8 + lane % 4 * 2;
      const int2 offset = *reinterpret_cast<const int2*>(key_offsets + key);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        p[t][2 * r] = fmaf(p[t][2 * r], scale, table[query_offset[r] - offset.x]);
        p[t][2 * r + 1] = fmaf(p[t][2 * r + 1], scale, table[query_offset[r] - offset.y]);
        if (key >= s.tokens) p[t][2 * r] = -INFINITY;
        if (key + 1 >= s.tokens) p[t][2 * r + 1] = -INFINITY;
        tile_largest[r] = fmaxf(tile_largest[r], fmaxf(p[t][2 * r], p[t][2 * r + 1]));
      }
    }
    float shrink[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {  // the four threads of a row
      tile_largest[r] = fmaxf(tile_largest[r], __shfl_xor_sync(0xffffffffu, tile_largest[r], 1));
      tile_largest[r] = fmaxf(tile_largest[r], __shfl_xor_sync(0xffffffffu, tile_largest[r], 2));
      shrink[r] = exp2_approx(largest[r] - tile_largest[r]);
      largest[r] = tile_largest[r];
      sum[r] *= shrink[r];
    }
#pragma unroll
    for (int t = 0; t < Plan::tiles; ++t) {
      out[t][0] *= shrink[0];
      out[t][1] *= shrink[0];
      out[t][2] *= shrink[1];
      out[t][3] *= shrink[1];
    }
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        p[t][i] = exp2_approx(p[t][i] - largest[i / 2]);
        sum[i / 2] += p[t][i];
        if constexpr (kModulated) {
          const int key = first_key + t * 8 + lane % 4 * 2 + i % 2;
          if (query[i / 2] < s.tokens && key < s.tokens) {
            p[t][i] *= call.modulation[query[i / 2] * s.tokens + key];
          }
        }
      }
    }
#pragma unroll
    for (int step = 0; step < kTiles / 2; ++step) {
      const float(&low)[4] = p[2 * step], (&high)[4] = p[2 * step + 1];
      const unsigned left[4] = {pack_bf16(low[0], low[1]), pack_bf16(low[2], low[3]),
                                pack_bf16(high[0], high[1]), pack_bf16(high[2], high[3])};
#pragma unroll
      for (int t = 0; t < Plan::tiles; t += 2) {
        unsigned right[4];
        load_right_of_columns(right, v_tile + step * 16 * Plan::stride + t * 8, Plan::stride);
        mma(out[t], left, right[0], right[1]);
        if (t + 1 < Plan::tiles) mma(out[t + 1], left, right[2], right[3]);
      }
    }
    // The next tile has arrived, and this one is free for the tile after it.
    wait_for_copies();
    __syncthreads();
  }

#pragma unroll
  for (int r = 0; r < 2; ++r) {
    sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], 1);
    sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], 2);
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    if (query[r] >= s.tokens) continue;
    const float factor = 1.0f / sum[r];
    Bf16* const row =
        static_cast<Bf16*>(call.out) + s.out_at(sample, head) + query[r] * s.out_stride();
#pragma unroll
    for (int t = 0; t < Plan::tiles; ++t) {
      const int column = t * 8 + lane % 4 * 2;
      if (column < s.size) {
        *reinterpret_cast<unsigned*>(row + column) =
            pack_bf16(out[t][2 * r] * factor, out[t][2 * r + 1] * factor);
      }
    }
    if (call.lse != nullptr && lane % 4 == 0) {
      call.lse[s.lse_at(sample, head) + query[r]] = kLn2 * (largest[r] + log2f(sum[r]));
    }
  }
}

template <int kHead, int kWarps, bool kModulated>
void run(cudaStream_t stream, const AttentionCall& call) {
  using Plan = ForwardPlan<kHead, kWarps>;
  const auto kernel = attention<kHead, kWarps, kModulated>;
  const int bytes = Plan::shared_bytes(call.sizes);
  const auto blocks = static_cast<unsigned>(divide_up(call.sizes.tokens, Plan::rows));
  const dim3 grid(blocks, call.sizes.heads, call.sizes.batch);
  launch({stream, "attention forward", grid, Plan::threads, bytes}, kernel, call);
}

template <int kHead>
void run_head(cudaStream_t stream, const AttentionCall& call) {
  if (call.modulation != nullptr) {
    run<kHead, 4, true>(stream, call);
  } else if (call.sizes.tokens <= 16) {
    run<kHead, 1, false>(stream, call);
  } else {
    run<kHead, 4, false>(stream, call);
  }
}

}  // namespace

void launch_attention_tensor(cudaStream_t stream, const AttentionCall& call) {
  if (call.sizes.size <= 56) {
    run_head<56>(stream, call);
  } else if (call.sizes.size <= 64) {
    run_head<64>(stream, call);
  } else {
    run_head<80>(stream, call);
  }
}

}  // namespace edt
