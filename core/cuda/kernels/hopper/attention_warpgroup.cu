// A block has one head of one sample. One thread asks for its keys and values, in two boxes that
// arrive one after the other; q goes straight to the registers of those who multiply it. Then each
// warpgroup goes over the keys as the other forward kernels do, 64 queries at a time: q k^T, the
// softmax in registers, p v. Nothing in shared memory is written twice, so there is nothing to wait
// for but the two arrivals: while one block waits, the multiprocessor has others.
//
// Heads of 52 lie 104 bytes apart, which is no distance for a map of the copy engine. A box of 64
// columns may begin at any column, so it takes some of the next head along: of k they meet zeros in
// q, of v they become columns of the result that nobody stores. (Where these are not finite a zero
// does not help: then the next head's results are not, either.)
#include "core/cuda/kernels/attention_forward.cuh"
#include "core/cuda/kernels/attention_warpgroup.h"
#include "core/cuda/kernels/box_copy.cuh"
#include "core/cuda/kernels/warpgroup.cuh"

namespace edt {
namespace {

// Where things lie in shared memory. The first 64 columns of k and v are in rows of 128 bytes, the
// rest in rows of 32; both as the copy engine swizzles them.
template <class Plan>
struct HeadMemory {
  unsigned char *k, *v, *k_rest, *v_rest;
  Barrier *k_arrived, *v_arrived;
  float* table;

  __device__ explicit HeadMemory(const AttentionSizes& s) {
    k = dynamic_shared();
    k += -shared_address(k) & 1023u;
    v = k + s.tokens * 128;
    k_rest = v + s.tokens * 128;
    v_rest = k_rest + (Plan::has_rest ? s.tokens * 32 : 0);
    k_arrived = reinterpret_cast<Barrier*>(v_rest + (Plan::has_rest ? s.tokens * 32 : 0));
    v_arrived = k_arrived + 1;
    table = reinterpret_cast<float*>(v_arrived + 1);
  }
};

// One thread asks for k (1) or v (2) of the block's head.
template <class Plan>
__device__ void ask_for(const AttentionSizes& s, const QkvMaps& maps, int which, unsigned char* to,
                        unsigned char* rest, Barrier* arrived) {
  const int head = blockIdx.x, row = blockIdx.y * s.tokens;
  const int column = (which * s.heads + head) * s.size;
  expect_bytes(arrived, s.tokens * Plan::row_bytes);
  copy_box(to, maps.columns_64, column, row, arrived);
  if constexpr (Plan::has_rest) copy_box(rest, maps.columns_16, column + 64, row, arrived);
}

// 16 rows of q as left operands, zeros beyond the head.
template <class Plan>
__device__ void load_queries(const AttentionCall& call, const Queries<Plan>& queries,
                             unsigned (&left)[Plan::steps][4]) {
  const AttentionSizes& s = call.sizes;
  const Bf16* const q = static_cast<const Bf16*>(call.qkv) + s.qkv_at(blockIdx.y, 0, blockIdx.x);
#pragma unroll
  for (int step = 0; step < Plan::steps; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column = step * 16 + i / 2 * 8 + queries.lane % 4 * 2;
      const Bf16* const from = q + queries.query[i % 2] * s.qkv_stride() + column;
      left[step][i] = column < s.size ? *reinterpret_cast<const unsigned*>(from) : 0u;
    }
  }
}

// k and v as right operands; `_rest` where heads have more than 64 columns.
struct RightOperands {
  std::uint64_t k, v, k_rest, v_rest;

  template <class Plan>
  __device__ explicit RightOperands(const HeadMemory<Plan>& memory)
      : k(shared_operand(shared_address(memory.k), Swizzle::k128Bytes, 16, 8 * 128)),
        v(shared_operand(shared_address(memory.v), Swizzle::k128Bytes, 16, 8 * 128)),
        k_rest(shared_operand(shared_address(memory.k_rest), Swizzle::k32Bytes, 16, 8 * 32)),
        v_rest(shared_operand(shared_address(memory.v_rest), Swizzle::k32Bytes, 16, 8 * 32)) {}
};

// scores = q k^T, issued.
template <class Plan>
__device__ void multiply_keys(unsigned (&left)[Plan::steps][4], const RightOperands& right,
                              int first_key, Scores<Plan>& scores) {
  fence_registers(left, scores);
#pragma unroll
  for (int step = 0; step < Plan::steps; ++step) {
    const std::uint64_t k = step < 4 ? further_on(right.k, first_key * 128 + step * 32)
                                     : further_on(right.k_rest, first_key * 32);
    multiply_async<Plan::keys, false>(scores, left[step], k, step > 0);
  }
  commit_products();
}

// out += p v, issued.
template <class Plan>
__device__ void multiply_values(LeftOperands<Plan::keys / 8>& p, const RightOperands& right,
                                int first_key, float (&out)[Plan::tiles][4]) {
  fence_registers(p, out);
#pragma unroll
  for (int step = 0; step < Plan::keys / 16; ++step) {
    const int key = first_key + step * 16;
    multiply_async<64, true>(out, p[step], further_on(right.v, key * 128), true);
    if constexpr (Plan::has_rest) {
      multiply_async<16, true>(out + 8, p[step], further_on(right.v_rest, key * 32), true);
    }
  }
  commit_products();
}

// The warpgroup's 64 queries from `first_query` on.
template <class Plan, int kColumns>
__device__ void attend(const AttentionCall& call, const HeadMemory<Plan>& memory, int first_query) {
  const AttentionSizes& s = call.sizes;
  const int head = blockIdx.x, sample = blockIdx.y;
  const RightOperands right(memory);
  Queries<Plan> queries(call, sample, first_query + threadIdx.x % 128 / 32 * 16, memory.table);
  unsigned left[Plan::steps][4];
  load_queries<Plan>(call, queries, left);
  const float scale = kLog2e / sqrtf(static_cast<float>(s.size));
  Scores<Plan> scores;
  LeftOperands<Plan::keys / 8> p;  // the products' until they are waited for
  wait_for_phase(memory.k_arrived, 0);
#pragma unroll 1
  for (int first_key = 0; first_key < s.tokens; first_key += Plan::keys) {
    multiply_keys<Plan>(left, right, first_key, scores);
    wait_for_products(scores, queries.out[0]);  // of the tile before as well
    add_bias_of_grid<Plan, kColumns>(queries, scale, first_key, scores);
    float largest[2] = {queries.largest[0], queries.largest[1]};
    find_largest<Plan>(scores, largest);
    rescale(queries, largest);
    exponentiate<Plan, false>(queries, call, first_key, scores);
    round_tiles<Plan::keys / 8>(scores, p);
    wait_for_phase(memory.v_arrived, 0);
    multiply_values<Plan>(p, right, first_key, queries.out[0]);
  }
  wait_for_products(queries.out[0]);
  store(queries, call, sample, head);
}

template <int kHead, int kGroups, int kColumns>
__global__ void __launch_bounds__(128 * kGroups, WarpgroupPlan<kHead, kGroups>::blocks)
    attention_by_warpgroups(AttentionCall call, const __grid_constant__ QkvMaps maps) {
  using Plan = WarpgroupPlan<kHead, kGroups>;
  const AttentionSizes& s = call.sizes;
  const HeadMemory<Plan> memory(s);
  if (threadIdx.x == 0) {
    make_barrier(memory.k_arrived, 1);
    make_barrier(memory.v_arrived, 1);
    publish_barriers();
    ask_for<Plan>(s, maps, 1, memory.k, memory.k_rest, memory.k_arrived);
    ask_for<Plan>(s, maps, 2, memory.v, memory.v_rest, memory.v_arrived);
  }
  load_table<Plan>(call, blockIdx.x, memory.table);
  __syncthreads();
  for (int first = threadIdx.x / 128 * 64; first < s.tokens; first += kGroups * 64) {
    attend<Plan, kColumns>(call, memory, first);
  }
}

template <int kHead, int kGroups, int kColumns>
void run_warpgroups(cudaStream_t stream, const AttentionCall& call, const QkvMaps& maps) {
  using Plan = WarpgroupPlan<kHead, kGroups>;
  const auto kernel = attention_by_warpgroups<kHead, kGroups, kColumns>;
  const dim3 grid(call.sizes.heads, call.sizes.batch);
  launch({stream, "attention forward by warpgroups", grid, Plan::threads,
          Plan::shared_bytes(call.sizes)},
         kernel, call, maps);
}

}  // namespace

void launch_attention_warpgroup(cudaStream_t stream, const AttentionCall& call,
                                const QkvMaps& maps) {
  with_warpgroups(call.sizes, [&]<int kHead, int kGroups>() {
    if (call.sizes.columns == 8) {
      run_warpgroups<kHead, kGroups, 8>(stream, call, maps);
    } else {
      run_warpgroups<kHead, kGroups, 16>(stream, call, maps);
    }
  });
}

cudaError_t find_attention_warpgroup() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes,
                               reinterpret_cast<const void*>(attention_by_warpgroups<64, 2, 16>));
}

}  // namespace edt
