// A block owns keys and walks over the queries once. With s, p the logits and probabilities,
// transposed here (keys down, queries across), and delta the row sums of dout * out:
//   dv += p^T dout,  dp = v dout^T,  ds = p (dp - delta),  dk += ds^T q,  dq = ds k,
// and the gradient of a table entry is the sum of ds over the pairs that read it. ds passes through
// shared memory for dq and for those sums. Every sum has one owner, so nothing is added atomically:
//   dk, dv   the warp of these 16 keys, in registers
//   dq       a warp for each result tile; by block of keys where there are several
//   table    a thread for each two entries that lie a grid row apart
#include <cmath>

#include "core/cuda/kernels/attention.h"
#include "core/cuda/kernels/mma.cuh"

namespace edt {
namespace {

constexpr float kLog2e = 1.4426950408889634f;

// Rows [first, first + rows) of one head into shared memory, zeros beyond the head and the tokens.
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

__device__ float2 unpack(unsigned pair) {
  return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u)};
}

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
        const float2 a0 = unpack(a.x), a1 = unpack(a.y), b0 = unpack(b.x), b1 = unpack(b.y);
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

// Adds ds of queries [first, end) to the table's gradient. An item is a distance of grid rows and a
// residue r of the distance of columns: entries r and r - g of that row of the table.
template <class Plan>
__device__ void add_to_table(const AttentionSizes& s, const Bf16* ds, int first, int end,
                             int first_key, float* dtable) {
  const int g = s.grid;
  for (int item = threadIdx.x; item < s.span() * g; item += Plan::threads) {
    const int r = item % g, row = item / g, down = row - (g - 1);
    float same = 0, wrapped = 0;
    for (int y = first / g; y <= (end - 1) / g; ++y) {
      const int key_row = (y - down) * g - first_key;
      if (y - down < 0 || y - down >= g || key_row < 0 || key_row >= Plan::keys) continue;
      const int begin = max(first - y * g, 0), stop = min(end - y * g, g);
      const Bf16* const line = ds + (y * g - first) * Plan::ds_stride + key_row - r;
      for (int x = max(begin, r); x < stop; ++x) {
        same += __bfloat162float(line[x * (Plan::ds_stride + 1)]);
      }
      for (int x = begin; x < min(stop, r); ++x) {
        wrapped += __bfloat162float(line[x * (Plan::ds_stride + 1) + g]);
      }
    }
    float* const entries = dtable + row * s.span() + g - 1;
    entries[r] += same;
    if (r > 0) entries[r - g] += wrapped;
  }
}

// The same where tokens were dropped: each query's partner is looked up.
template <class Plan>
__device__ void add_kept_to_table(const AttentionCall& call, int sample, const Bf16* ds, int first,
                                  int end, int first_key, float* dtable) {
  const AttentionSizes& s = call.sizes;
  const int g = s.grid;
  for (int item = threadIdx.x; item < s.span() * g; item += Plan::threads) {
    const int r = item % g, row = item / g, down = row - (g - 1);
    float same = 0, wrapped = 0;
    for (int query = first; query < end; ++query) {
      const int place = call.place(sample, query), x = place % g, key_y = place / g - down;
      if (key_y < 0 || key_y >= g) continue;
      const int key = call.token_at(sample, key_y * g + (x >= r ? x - r : x - r + g));
      const int column = key - first_key;
      if (key < 0 || column < 0 || column >= Plan::keys) continue;
      (x >= r ? same : wrapped) += __bfloat162float(ds[(query - first) * Plan::ds_stride + column]);
    }
    float* const entries = dtable + row * s.span() + g - 1;
    entries[r] += same;
    if (r > 0) entries[r - g] += wrapped;
  }
}

// Two neighbouring elements, (+)= a, b
__device__ void put_pair(Bf16* to, float a, float b, bool accumulate) {
  unsigned* const word = reinterpret_cast<unsigned*>(to);
  if (accumulate) {
    const float2 before = unpack(*word);
    a += before.x;
    b += before.y;
  }
  *word = pack_bf16(a, b);
}

template <int kHead, int kWarps>
__global__ void __launch_bounds__(32 * kWarps, kWarps == 4 ? 3 : 1)
    attention_backward(AttentionCall call) {
  using Plan = BackwardPlan<kHead, kWarps>;
  constexpr int kTiles = Plan::queries / 8;  // result tiles along the queries
  const AttentionSizes& s = call.sizes;
  const int padded_tokens = Plan::padded_tokens(s);
  Bf16* const k_rows = reinterpret_cast<Bf16*>(dynamic_shared());
  Bf16* const v_rows = k_rows + Plan::key_elements;
  Bf16* const q_tiles = v_rows + Plan::key_elements;
  Bf16* const dout_tiles = q_tiles + 2 * Plan::query_elements;
  Bf16* const ds = dout_tiles + 2 * Plan::query_elements;
  float* const lse = reinterpret_cast<float*>(ds + Plan::queries * Plan::ds_stride);
  float* const delta = lse + padded_tokens;
  int* const query_offsets = reinterpret_cast<int*>(delta + padded_tokens);
  float* const table = reinterpret_cast<float*>(query_offsets + padded_tokens);
  float* const dtable = table + s.table_rows();

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int block = blockIdx.x, head = blockIdx.y, sample = blockIdx.z;
  const int first_key = block * Plan::keys;
  const std::int64_t stride = s.qkv_stride();
  const Bf16* const qkv = static_cast<const Bf16*>(call.qkv);
  const Bf16* const q = qkv + s.qkv_at(sample, 0, head);
  const Bf16* const dout = static_cast<const Bf16*>(call.dout) + s.out_at(sample, head);

  copy_rows<Plan, Plan::keys>(k_rows, qkv + s.qkv_at(sample, 1, head), stride, first_key, s);
  copy_rows<Plan, Plan::keys>(v_rows, qkv + s.qkv_at(sample, 2, head), stride, first_key, s);
  copy_rows<Plan, Plan::queries>(q_tiles, q, stride, 0, s);
  copy_rows<Plan, Plan::queries>(dout_tiles, dout, s.out_stride(), 0, s);
  commit_copies();
  for (int i = threadIdx.x; i < s.table_rows(); i += Plan::threads) {
    const Bf16* entries = static_cast<const Bf16*>(call.table);
    table[i] =
        entries == nullptr
            ? 0.0f
            : kLog2e * __bfloat162float(entries[static_cast<std::int64_t>(i) * s.heads + head]);
    dtable[i] = 0;
  }
  prepare_queries<Plan>(call, sample, head, lse, delta, query_offsets);
  wait_for_copies();
  __syncthreads();

  const float inverse_root = 1.0f / sqrtf(static_cast<float>(s.size));
  const float scale = kLog2e * inverse_root;
  const int key[2] = {first_key + warp * 16 + lane / 4, first_key + warp * 16 + lane / 4 + 8};
  const int key_offset[2] = {s.key_offset(call.place(sample, min(key[0], s.tokens - 1))),
                             s.key_offset(call.place(sample, min(key[1], s.tokens - 1)))};
  const bool key_real[2] = {key[0] < s.tokens, key[1] < s.tokens};
  const Bf16* const my_k = k_rows + warp * 16 * Plan::stride;
  const Bf16* const my_v = v_rows + warp * 16 * Plan::stride;
  float dk[Plan::tiles][4] = {}, dv[Plan::tiles][4] = {};

  const int query_tiles = padded_tokens / Plan::queries;
#pragma unroll 1
  for (int tile = 0; tile < query_tiles; ++tile) {
    const int first_query = tile * Plan::queries;
    const Bf16* const q_tile = q_tiles + tile % 2 * Plan::query_elements;
    const Bf16* const dout_tile = dout_tiles + tile % 2 * Plan::query_elements;
    if (tile + 1 < query_tiles) {
      const int next = (tile + 1) % 2 * Plan::query_elements;
      copy_rows<Plan, Plan::queries>(q_tiles + next, q, stride, first_query + Plan::queries, s);
      copy_rows<Plan, Plan::queries>(dout_tiles + next, dout, s.out_stride(),
                                     first_query + Plan::queries, s);
      commit_copies();
    }

    // p^T: the probabilities of this warp's keys.
    float p[kTiles][4] = {};
#pragma unroll
    for (int step = 0; step < Plan::steps; ++step) {
      unsigned left[4];
      load_left(left, my_k + step * 16, Plan::stride);
#pragma unroll
      for (int t = 0; t < kTiles; t += 2) {
        unsigned right[4];
        load_right(right, q_tile + t * 8 * Plan::stride + step * 16, Plan::stride);
        mma(p[t], left, right[0], right[1]);
        mma(p[t + 1], left, right[2], right[3]);
      }
    }
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      const int query = first_query + t * 8 + lane % 4 * 2;
      const int2 offset = *reinterpret_cast<const int2*>(query_offsets + query);
      const float2 sums = *reinterpret_cast<const float2*>(lse + query);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float first = fmaf(p[t][2 * r], scale, table[offset.x - key_offset[r]]);
        const float second = fmaf(p[t][2 * r + 1], scale, table[offset.y - key_offset[r]]);
        p[t][2 * r] = key_real[r] ? exp2_approx(first - sums.x) : 0.0f;
        p[t][2 * r + 1] = key_real[r] ? exp2_approx(second - sums.y) : 0.0f;
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
        load_right_of_columns(right, dout_tile + step * 16 * Plan::stride + t * 8, Plan::stride);
        mma(dv[t], left, right[0], right[1]);
        if (t + 1 < Plan::tiles) mma(dv[t + 1], left, right[2], right[3]);
      }
    }

    // dp^T, then p becomes ds^T.
    float dp[kTiles][4] = {};
#pragma unroll
    for (int step = 0; step < Plan::steps; ++step) {
      unsigned left[4];
      load_left(left, my_v + step * 16, Plan::stride);
#pragma unroll
      for (int t = 0; t < kTiles; t += 2) {
        unsigned right[4];
        load_right(right, dout_tile + t * 8 * Plan::stride + step * 16, Plan::stride);
        mma(dp[t], left, right[0], right[1]);
        mma(dp[t + 1], left, right[2], right[3]);
      }
    }
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      const int query = t * 8 + lane % 4 * 2;  // in the tile
      const float2 d = *reinterpret_cast<const float2*>(delta + first_query + query);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        p[t][2 * r] *= dp[t][2 * r] - d.x;
        p[t][2 * r + 1] *= dp[t][2 * r + 1] - d.y;
        Bf16* const to = ds + query * Plan::ds_stride + warp * 16 + lane / 4 + 8 * r;
        to[0] = __float2bfloat16_rn(p[t][2 * r]);
        to[Plan::ds_stride] = __float2bfloat16_rn(p[t][2 * r + 1]);
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
        load_right_of_columns(right, q_tile + step * 16 * Plan::stride + t * 8, Plan::stride);
        mma(dk[t], left, right[0], right[1]);
        if (t + 1 < Plan::tiles) mma(dk[t + 1], left, right[2], right[3]);
      }
    }
    __syncthreads();  // ds is complete

    // dq of this tile from these keys: a warp for each 16 queries and 8 columns.
    for (int task = warp; task < Plan::queries / 16 * Plan::tiles; task += kWarps) {
      const int t = task % Plan::tiles, half = task / Plan::tiles;
      float dq[4] = {};
#pragma unroll 4
      for (int step = 0; step < Plan::keys / 16; ++step) {
        unsigned left[4], right[2];
        load_left(left, ds + half * 16 * Plan::ds_stride + step * 16, Plan::ds_stride);
        load_right_of_columns(right, k_rows + step * 16 * Plan::stride + t * 8, Plan::stride);
        mma(dq, left, right[0], right[1]);
      }
      const int column = t * 8 + lane % 4 * 2;
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const int query = first_query + half * 16 + lane / 4 + 8 * r;
        if (column >= s.size || query >= s.tokens) continue;
        const float a = dq[2 * r] * inverse_root, b = dq[2 * r + 1] * inverse_root;
        if (gridDim.x == 1) {
          Bf16* const to =
              static_cast<Bf16*>(call.dqkv) + s.qkv_at(sample, 0, head) + query * stride + column;
          put_pair(to, a, b, call.accumulate);
        } else {
          const std::int64_t unit =
              (static_cast<std::int64_t>(block) * s.batch + sample) * s.heads + head;
          float* const to = call.dq + (unit * s.tokens + query) * s.size + column;
          *reinterpret_cast<float2*>(to) = {a, b};
        }
      }
      __syncwarp();  // products and matrix loads are of whole warps
    }
    const int end_query = min(first_query + Plan::queries, s.tokens);
    if (call.dtables != nullptr && call.ids == nullptr) {
      add_to_table<Plan>(s, ds, first_query, end_query, first_key, dtable);
    } else if (call.dtables != nullptr) {
      add_kept_to_table<Plan>(call, sample, ds, first_query, end_query, first_key, dtable);
    }
    // The next tile has arrived, and ds and this tile are free.
    wait_for_copies();
    __syncthreads();
  }

#pragma unroll
  for (int r = 0; r < 2; ++r) {
    if (!key_real[r]) continue;
    Bf16* const row = static_cast<Bf16*>(call.dqkv) + key[r] * stride;
#pragma unroll
    for (int t = 0; t < Plan::tiles; ++t) {
      const int column = t * 8 + lane % 4 * 2;
      if (column >= s.size) continue;
      put_pair(row + s.qkv_at(sample, 1, head) + column, dk[t][2 * r] * inverse_root,
               dk[t][2 * r + 1] * inverse_root, call.accumulate);
      put_pair(row + s.qkv_at(sample, 2, head) + column, dv[t][2 * r], dv[t][2 * r + 1],
               call.accumulate);
    }
  }
  if (call.dtables == nullptr) return;
  float* const share =
      call.dtables +
      ((static_cast<std::int64_t>(sample) * gridDim.x + block) * s.heads + head) * s.table_rows();
  for (int i = threadIdx.x; i < s.table_rows(); i += Plan::threads) share[i] = dtable[i];
}

// dq (+)= the shares of the blocks of keys, in order; a thread for two elements of a row.
__global__ void __launch_bounds__(256) add_dq(AttentionCall call, int blocks) {
  const AttentionSizes& s = call.sizes;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * 256 + threadIdx.x;
  const std::int64_t total = static_cast<std::int64_t>(s.batch) * s.heads * s.tokens * s.size;
  const std::int64_t element = 2 * index;
  if (element >= total) return;
  float2 sum{0, 0};
  for (int block = 0; block < blocks; ++block) {
    const float2 part = *reinterpret_cast<const float2*>(call.dq + block * total + element);
    sum.x += part.x;
    sum.y += part.y;
  }
  const int column = static_cast<int>(element % s.size);
  const std::int64_t row = element / s.size;
  const int query = static_cast<int>(row % s.tokens);
  const int unit = static_cast<int>(row / s.tokens);
  put_pair(static_cast<Bf16*>(call.dqkv) + s.qkv_at(unit / s.heads, 0, unit % s.heads) +
               query * s.qkv_stride() + column,
           sum.x, sum.y, call.accumulate);
}

template <int kHead, int kWarps>
void run(cudaStream_t stream, const AttentionCall& call) {
  using Plan = BackwardPlan<kHead, kWarps>;
  const auto kernel = attention_backward<kHead, kWarps>;
  const int bytes = Plan::shared_bytes(call.sizes);
  const auto blocks = static_cast<unsigned>(divide_up(call.sizes.tokens, Plan::keys));
  const dim3 grid(blocks, call.sizes.heads, call.sizes.batch);
  launch({stream, "attention backward", grid, Plan::threads, bytes}, kernel, call);
  if (blocks == 1) return;
  const AttentionSizes& s = call.sizes;
  const std::int64_t pairs = static_cast<std::int64_t>(s.batch) * s.heads * s.tokens * s.size / 2;
  launch({stream, "attention backward", static_cast<unsigned>(divide_up(pairs, 256)), 256}, add_dq,
         call, static_cast<int>(blocks));
}

template <int kHead>
void run_head(cudaStream_t stream, const AttentionCall& call) {
  const int warps = backward_warps(call.sizes.tokens);
  if (warps == 1) {
    run<kHead, 1>(stream, call);
  } else if (warps == 4) {
    run<kHead, 4>(stream, call);
  } else {
    run<kHead, 16>(stream, call);
  }
}

}  // namespace

void launch_attention_tensor_backward(cudaStream_t stream, const AttentionCall& call) {
  if (call.sizes.size <= 56) {
    run_head<56>(stream, call);
  } else if (call.sizes.size <= 64) {
    run_head<64>(stream, call);
  } else {
    run_head<80>(stream, call);
  }
}

}  // namespace edt
