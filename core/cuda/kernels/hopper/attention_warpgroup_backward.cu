// A block has one head of one sample, all of whose q, k, v and dout the copy engine brings; a
// warpgroup owns 64 keys or twice 64, whose dk and dv stay in its registers, and goes over the
// queries, 64 at a time. With s, p the logits and probabilities, transposed here (keys down,
// queries across), and delta the row sums of dout * out:
//   s = k q^T, dp = v dout^T       both operands in shared memory, as they lie there
//   dv += p^T dout, dk += ds^T q   p and ds = p (dp - delta) in registers, as they were left there;
//                                  dout and q in the same memory, read by columns
//   dq = ds k                      ds through shared memory, read by columns, as is k
// so that nothing is ever transposed. ds in shared memory also serves the table's gradient
// (attention_table_squares.cuh). It is what all keys give for the queries of a pass, 64 for each
// warpgroup, which then has the dq of its 64. Every sum has one owner and one order.
//
// Products run while the warpgroup does something else: those of dp during the exponentials of p,
// dv while ds is computed and stored.
//
// A box of 64 columns takes some of the next head along, where heads are smaller. Of k and v zeros
// are written over it: then it counts for nothing in s, dp and dq, and in dk and dv it becomes
// columns that nobody stores. (Where it is not finite a zero does not help: then the next head's
// results are not, either.)
#include "core/cuda/kernels/attention_table_squares.cuh"
#include "core/cuda/kernels/attention_tensor.cuh"
#include "core/cuda/kernels/attention_warpgroup_backward.h"
#include "core/cuda/kernels/box_copy.cuh"
#include "core/cuda/kernels/warpgroup.cuh"

namespace edt {
namespace backward_by_warpgroups {

// Result tiles of 64 keys (down) and 64 queries or elements of the head (across).
using Tiles = float[8][4];
using Rounded = LeftOperands<8>;

// Read anew where it is needed: there are no registers to keep it in.
struct Numbers {
  float inverse_root;  // of the head's size
  unsigned width;      // of all heads
};

// Where things lie in shared memory: rows of 128 bytes, swizzled as the copy engine does it.
template <class Plan>
struct Memory {
  unsigned char *k, *v, *q, *dout;  // of every token
  unsigned char* ds;                // of a pass, [queries / 64][keys][64]
  float *table, *table_sums, *squares;
  float *lse, *delta;  // of every query
  Numbers* numbers;
  Barrier *dout_arrived, *qkv_arrived;

  // At first, of table_sums and squares.
  static constexpr int zeros =
      Plan::table_entries + Plan::threads / 32 * TableBySquares<Plan>::kSquareFloats;

  static_assert(Plan::shared_bytes ==
                (4 + Plan::groups) * Plan::tokens * 128 + 2 * sizeof(Barrier) +
                    (2 * Plan::tokens + Plan::table_entries + zeros) * 4 + sizeof(Numbers));

  __device__ Memory() {
    k = box_memory();
    v = k + Plan::tokens * 128;
    q = v + Plan::tokens * 128;
    dout = q + Plan::tokens * 128;
    ds = dout + Plan::tokens * 128;
    dout_arrived = reinterpret_cast<Barrier*>(ds + Plan::groups * Plan::tokens * 128);
    qkv_arrived = dout_arrived + 1;
    lse = reinterpret_cast<float*>(qkv_arrived + 1);
    delta = lse + Plan::tokens;
    table = delta + Plan::tokens;
    table_sums = table + Plan::table_entries;
    squares = table_sums + Plan::table_entries;
    numbers = reinterpret_cast<Numbers*>(table_sums + zeros);
  }
};

// One thread asks for all that the block reads often.
template <class Plan>
__device__ void ask_for_head(const AttentionSizes& s, const BackwardMaps& maps,
                             const Memory<Plan>& memory) {
  const int width = s.heads * s.size, column = blockIdx.x * s.size;
  const int row = blockIdx.y * Plan::tokens;
  *memory.numbers = {1.0f / sqrtf(static_cast<float>(s.size)), static_cast<unsigned>(width)};
  make_barrier(memory.dout_arrived, 1);
  make_barrier(memory.qkv_arrived, 1);
  publish_barriers();
  expect_bytes(memory.dout_arrived, Plan::tokens * 128);
  copy_box(memory.dout, maps.dout, column, row, memory.dout_arrived);
  expect_bytes(memory.qkv_arrived, 3 * Plan::tokens * 128);
  copy_box(memory.k, maps.qkv, width + column, row, memory.qkv_arrived);
  copy_box(memory.v, maps.qkv, 2 * width + column, row, memory.qkv_arrived);
  copy_box(memory.q, maps.qkv, column, row, memory.qkv_arrived);
}

// lse in powers of two, and delta. Eight neighbouring threads share a row, of which each has twice
// four elements; out is asked for at once, dout is where the copy engine brings it.
template <class Plan>
__device__ void prepare_rows(const AttentionCall& call, const Memory<Plan>& memory) {
  const AttentionSizes& s = call.sizes;
  constexpr int kRows = Plan::threads / 8, kTurns = Plan::tokens / kRows;
  const int head = blockIdx.x, sample = blockIdx.y, row = threadIdx.x / 8;
  const int part = threadIdx.x % 8 * 4;
  const Bf16* out =
      static_cast<const Bf16*>(call.out) + s.out_at(sample, head) + part + row * s.out_stride();
  uint2 own[kTurns][2];
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn, out += kRows * s.out_stride()) {
    own[turn][0] = *reinterpret_cast<const uint2*>(out);
    if (part + 32 < s.size) own[turn][1] = *reinterpret_cast<const uint2*>(out + 32);
  }
  for (int i = threadIdx.x; i < Plan::tokens; i += Plan::threads) {
    memory.lse[i] = kLog2e * call.lse[s.lse_at(sample, head) + i];
  }
  wait_for_phase(memory.dout_arrived, 0);
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    const int query = row + turn * kRows;
    float delta = 0;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (part + half * 32 >= s.size) break;
      const uint2 a = own[turn][half],
                  b = *reinterpret_cast<const uint2*>(
                      memory.dout + in_rows_of_128(query, (part + half * 32) * 2));
      const float2 a0 = unpack_bf16(a.x), a1 = unpack_bf16(a.y), b0 = unpack_bf16(b.x),
                   b1 = unpack_bf16(b.y);
      delta += a0.x * b0.x + a0.y * b0.y + a1.x * b1.x + a1.y * b1.y;
    }
#pragma unroll
    for (int offset = 4; offset > 0; offset /= 2) {
      delta += __shfl_xor_sync(0xffffffffu, delta, offset);
    }
    if (part == 0) memory.delta[query] = delta;
  }
}

// Zeros beyond the head in k and v.
template <class Plan>
__device__ void clear_beyond_head(int size, const Memory<Plan>& memory) {
  for (int i = threadIdx.x; i < 2 * Plan::tokens; i += Plan::threads) {
    unsigned char* const rows = i < Plan::tokens ? memory.k : memory.v;
    for (int byte = size * 2; byte < 128; byte += 8) {
      put_for_products(shared_address(rows) + in_rows_of_128(i % Plan::tokens, byte),
                       make_uint2(0, 0));
    }
  }
}

// Operands in rows of 128 bytes: either way a further row is 128 bytes on. All of them follow from
// the first, which alone takes registers.
template <class Plan>
struct Operands {
  std::uint64_t k;

  __device__ explicit Operands(const Memory<Plan>& memory)
      : k(shared_operand(shared_address(memory.k), Swizzle::k128Bytes, 16, 8 * 128)) {}
  __device__ std::uint64_t v() const { return further_on(k, Plan::tokens * 128); }
  __device__ std::uint64_t q() const { return further_on(k, 2 * Plan::tokens * 128); }
  __device__ std::uint64_t dout() const { return further_on(k, 3 * Plan::tokens * 128); }
  __device__ std::uint64_t ds() const { return further_on(k, 4 * Plan::tokens * 128); }
};

// y = a b^T of rows that are heads, a group of products.
__device__ inline void multiply_heads(std::uint64_t a, std::uint64_t b, Tiles& y) {
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    multiply_shared_async<64, false, false>(y, further_on(a, step * 32), further_on(b, step * 32),
                                            step > 0);
  }
  commit_products();
}

// s = k q^T and dp = v dout^T, of 64 keys and 64 queries, as two groups.
template <class Plan>
__device__ void start_logits(const Operands<Plan>& of, int key, int query, Tiles& s, Tiles& dp) {
  fence_registers(s, dp);
  multiply_heads(further_on(of.k, key * 128), further_on(of.q(), query * 128), s);
  multiply_heads(further_on(of.v(), key * 128), further_on(of.dout(), query * 128), dp);
}

// sum += a b, where b has 64 rows from `first` on; a group.
__device__ inline void multiply_rows_async(Rounded& a, std::uint64_t b, int first, Tiles& sum) {
  fence_registers(a, sum);
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    multiply_async<64, true>(sum, a[step], further_on(b, (first + step * 16) * 128), true);
  }
  commit_products();
}

// Logits become probabilities; `bias` and `lse` are of the lane's first key and queries.
template <int kColumns>
__device__ void exponentiate_columns(const float* bias, const float* lse, float scale, Tiles& p) {
#pragma unroll
  for (int t = 0; t < 8; ++t) {
    const float2 sums = *reinterpret_cast<const float2*>(lse + t * 8);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int entry = table_step<kColumns>(t) - table_step<kColumns>(i / 2) + i % 2;
      p[t][i] = exp2_approx(fmaf(p[t][i], scale, bias[entry]) - (i % 2 == 0 ? sums.x : sums.y));
    }
  }
}

// p becomes ds.
__device__ inline void differentiate_columns(const float* delta, const Tiles& dp, Tiles& p) {
#pragma unroll
  for (int t = 0; t < 8; ++t) {
    const float2 d = *reinterpret_cast<const float2*>(delta + t * 8);
    p[t][0] *= dp[t][0] - d.x, p[t][1] *= dp[t][1] - d.y;
    p[t][2] *= dp[t][2] - d.x, p[t][3] *= dp[t][3] - d.y;
  }
}

// ds of the warp's 16 keys from `key` on, and the 64 queries of a tile.
__device__ inline void put_ds(unsigned char* tile, int key, const Rounded& ds) {
  const int lane = threadIdx.x % 32;
  const unsigned line = shared_address(tile) + in_rows_of_128(key + lane / 4, lane % 4 * 4);
#pragma unroll
  for (int t = 0; t < 8; ++t) {
    const unsigned address = line ^ static_cast<unsigned>(t * 16);  // as in_rows_of_128()
    put_for_products(address, ds[t / 2][t % 2 * 2]);
    put_for_products(address + 8 * 128, ds[t / 2][t % 2 * 2 + 1]);
  }
}

// A warp's 16 rows of a gradient, from the lane's first element on.
template <bool kAccumulate>
__device__ void put_lines(Bf16* to, unsigned size, unsigned stride, float factor,
                          const Tiles& rows) {
#pragma unroll
  for (unsigned t = 0; t < 8; ++t) {
    if (t >= 4 && t * 8 + threadIdx.x % 4 * 2 >= size) break;
#pragma unroll
    for (unsigned r = 0; r < 2; ++r) {
      put_pair(to + 8 * r * stride + t * 8, rows[t][2 * r] * factor, rows[t][2 * r + 1] * factor,
               kAccumulate);
    }
  }
}

// 64 rows of q (0), k (1) or v (2)'s gradient, from token `first` on.
__device__ inline void put_rows(const AttentionCall& call, unsigned width, int which, int first,
                                float factor, const Tiles& rows) {
  const unsigned size = call.sizes.size, stride = 3 * width;
  const unsigned lane = threadIdx.x % 32, line = first + threadIdx.x % 128 / 32 * 16 + lane / 4;
  const std::uint64_t row_of_all = std::uint64_t{blockIdx.y} * call.sizes.tokens + line;
  Bf16* const to = static_cast<Bf16*>(call.dqkv) + row_of_all * stride + which * width +
                   blockIdx.x * size + lane % 4 * 2;
  if (call.accumulate) {
    put_lines<true>(to, size, stride, factor, rows);
  } else {
    put_lines<false>(to, size, stride, factor, rows);
  }
}

// Of the block, the same in all lanes: what follows from it is computed once for a warp.
__device__ inline int warpgroup_index() {
  return __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x / 128), 0);
}

// What a warpgroup sums up over the queries.
template <class Plan>
struct KeyGradients {
  Tiles dk[Plan::tiles] = {}, dv[Plan::tiles] = {};
};

// Adds what the queries of a pass give to the keys of the warpgroup, and leaves ds.
template <class Plan>
__device__ void pass_queries(const Memory<Plan>& memory, const Operands<Plan>& of, int first_query,
                             KeyGradients<Plan>& sums) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x % 128 / 32;
  const int own_key = warpgroup_index() * (64 * Plan::tiles);
  const float scale = kLog2e * memory.numbers->inverse_root;
  Tiles s, dp;
  Rounded p, ds;  // the products' until the next logits are there
#pragma unroll 1
  for (int of_pass = 0; of_pass < Plan::groups; ++of_pass) {
    const int query = first_query + of_pass * 64;
    start_logits(of, own_key, query, s, dp);
#pragma unroll
    for (int tile = 0; tile < Plan::tiles; ++tile) {
      const int key = own_key + tile * 64 + warp * 16;
      const AttentionSizes grid{.rows = Plan::rows, .columns = Plan::columns};
      const float* const bias =
          memory.table + grid.query_offset(query) - grid.key_offset(key) + lane % 4 * 2 - lane / 4;
      wait_for_products<1>(s);
      exponentiate_columns<Plan::columns>(bias, memory.lse + query + lane % 4 * 2, scale, s);
      round_tiles<8>(s, p);
      multiply_rows_async(p, of.dout(), query, sums.dv[tile]);
      wait_for_products<1>(dp);
      differentiate_columns(memory.delta + query + lane % 4 * 2, dp, s);
      round_tiles<8>(s, ds);
      // In front of the product that has these registers from then on.
      put_ds(memory.ds + of_pass * (Plan::tokens * 128), key, ds);
      multiply_rows_async(ds, of.q(), query, sums.dk[tile]);
      if (tile + 1 < Plan::tiles) start_logits(of, own_key + (tile + 1) * 64, query, s, dp);
    }
  }
#pragma unroll
  for (int tile = 0; tile < Plan::tiles; ++tile) wait_for_products(sums.dk[tile], sums.dv[tile]);
}

// dq of the warpgroup's 64 queries of a pass, from all keys; meanwhile the table's gradient.
template <class Plan>
__device__ void finish_queries(const AttentionCall& call, const Memory<Plan>& memory,
                               const Operands<Plan>& of, int first_query) {
  const int group = warpgroup_index();
  Tiles dq;
  fence_registers(dq);
#pragma unroll
  for (int key = 0; key < Plan::tokens; key += 16) {
    multiply_shared_async<64, true, true>(dq,
                                          further_on(of.ds(), (group * Plan::tokens + key) * 128),
                                          further_on(of.k, key * 128), key > 0);
  }
  commit_products();
  if (call.dtables != nullptr) {
    TableBySquares<Plan> table(memory.table_sums, memory.squares);
    table.template add<Plan::groups>(memory.ds, first_query / Plan::columns);
  }
  wait_for_products(dq);
  put_rows(call, memory.numbers->width, 0, first_query + group * 64, memory.numbers->inverse_root,
           dq);
}

template <int kColumns>
__global__ void __launch_bounds__(WarpgroupBackwardPlan<kColumns>::threads,
                                  WarpgroupBackwardPlan<kColumns>::blocks)
    attention_backward_by_warpgroups(AttentionCall call,
                                     const __grid_constant__ BackwardMaps maps) {
  using Plan = WarpgroupBackwardPlan<kColumns>;
  const AttentionSizes& s = call.sizes;
  const Memory<Plan> memory;
  if (threadIdx.x == 0) ask_for_head(s, maps, memory);
  load_table<Plan>(call, blockIdx.x, memory.table);
  for (int i = threadIdx.x; i < Memory<Plan>::zeros; i += Plan::threads) memory.table_sums[i] = 0;
  __syncthreads();  // the barriers are there
  prepare_rows(call, memory);
  wait_for_phase(memory.qkv_arrived, 0);
  clear_beyond_head(s.size, memory);
  publish_stores();
  __syncthreads();

  const Operands<Plan> of(memory);
  KeyGradients<Plan> sums;
#pragma unroll 1
  for (int first = 0; first < Plan::tokens; first += Plan::queries) {
    pass_queries(memory, of, first, sums);
    publish_stores();
    __syncthreads();  // ds is complete
    finish_queries(call, memory, of, first);
    __syncthreads();  // and free
  }
#pragma unroll
  for (int tile = 0; tile < Plan::tiles; ++tile) {
    const int key = (threadIdx.x / 128 * Plan::tiles + tile) * 64;
    put_rows(call, memory.numbers->width, 1, key, memory.numbers->inverse_root, sums.dk[tile]);
    put_rows(call, memory.numbers->width, 2, key, 1.0f, sums.dv[tile]);
  }
  if (call.dtables == nullptr) return;
  float* const share =
      call.dtables + (std::int64_t{blockIdx.y} * s.heads + blockIdx.x) * Plan::table_entries;
  for (int i = threadIdx.x; i < Plan::table_entries; i += Plan::threads) {
    share[i] = memory.table_sums[i];
  }
}

template <int kColumns>
void run(cudaStream_t stream, const AttentionCall& call, const BackwardMaps& maps) {
  using Plan = WarpgroupBackwardPlan<kColumns>;
  const dim3 grid(call.sizes.heads, call.sizes.batch);
  launch({stream, "attention backward by warpgroups", grid, Plan::threads, Plan::shared_bytes},
         attention_backward_by_warpgroups<kColumns>, call, maps);
}

}  // namespace backward_by_warpgroups

void launch_attention_warpgroup_backward(cudaStream_t stream, const AttentionCall& call,
                                         const BackwardMaps& maps) {
  if (call.sizes.columns == 8) {
    backward_by_warpgroups::run<8>(stream, call, maps);
  } else {
    backward_by_warpgroups::run<16>(stream, call, maps);
  }
}

}  // namespace edt
