// Compiled without fused multiply-add: the bits are those of the host's optimizer.
#include "core/cuda/kernels/optimizer.h"

#include <cuda_bf16.h>

namespace edt {
namespace {

constexpr int kThreads = 256;

unsigned blocks_of(std::int64_t n) { return static_cast<unsigned>(divide_up(n, kThreads)); }

__device__ void follow(const ShardPointers& shard, std::int64_t i, float param) {
  if (shard.ema != nullptr) {
    shard.ema[i] = shard.ema_keep * shard.ema[i] + shard.ema_take * param;
  }
  if (shard.working != nullptr) {
    static_cast<__nv_bfloat16*>(shard.working)[i] = __float2bfloat16_rn(param);
  }
}

template <bool kFirst>
__global__ void __launch_bounds__(kThreads) adan(AdanScalars scalars, ShardPointers shard) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= shard.size) return;
  float* const* states = shard.states;
  const AdanElement next =
      adan_step<kFirst>(scalars, shard.grads[i],
                        {shard.params[i], states[0][i], states[1][i], states[2][i], states[3][i]});
  shard.params[i] = next.param;
  states[0][i] = next.exp_avg;
  states[1][i] = next.exp_avg_diff;
  states[2][i] = next.exp_avg_sq;
  states[3][i] = next.previous_grad;
  follow(shard, i, next.param);
}

__global__ void __launch_bounds__(kThreads) adamw(AdamWScalars scalars, ShardPointers shard) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= shard.size) return;
  const AdamWElement next = adamw_step(scalars, shard.grads[i],
                                       {shard.params[i], shard.states[0][i], shard.states[1][i]});
  shard.params[i] = next.param;
  shard.states[0][i] = next.exp_avg;
  shard.states[1][i] = next.exp_avg_sq;
  follow(shard, i, next.param);
}

__global__ void __launch_bounds__(kThreads) follow_weights(FollowCall call) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= call.size) return;
  const float now = call.params[i], before = call.average[i];
  call.average[i] = call.take == 1 ? now : before + call.take * (now - before);
}

constexpr int kLanes = 16;  // of core/optim/grad_norm.cpp

// Sixteen threads for each block of values: each adds every sixteenth square in order, then the
// sixteen sums are added in order. The square of a float is exact in double.
template <bool kLeavesOut>
__global__ void __launch_bounds__(kThreads) square_sums(SquareSumsCall call) {
  const std::int64_t index =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / kLanes) + threadIdx.x / kLanes;
  const int lane = threadIdx.x % kLanes;
  const std::int64_t begin = index * call.block;
  const std::int64_t end = begin + call.block < call.size ? begin + call.block : call.size;
  std::int64_t range = 0;
  double mine = 0;
#pragma unroll 8
  for (std::int64_t i = begin + lane; i < end; i += kLanes) {
    double value = call.values[i];
    if constexpr (kLeavesOut) {
      while (range < call.count && call.ranges[range].end <= i) ++range;
      if (range < call.count && i >= call.ranges[range].begin) value = 0;
    }
    mine += value * value;
  }
  double sum = 0;
#pragma unroll
  for (int i = 0; i < kLanes; ++i) sum += __shfl_sync(0xffffffffu, mine, i, kLanes);
  if (lane == 0 && begin < call.size) call.sums[index] = sum;
}

}  // namespace

void launch_adan(cudaStream_t stream, const AdanScalars& scalars, bool first_step,
                 const ShardPointers& shard) {
  if (shard.size == 0) return;
  if (first_step) {
    launch({stream, "adan", blocks_of(shard.size), kThreads}, adan<true>, scalars, shard);
  } else {
    launch({stream, "adan", blocks_of(shard.size), kThreads}, adan<false>, scalars, shard);
  }
}

void launch_adamw(cudaStream_t stream, const AdamWScalars& scalars, const ShardPointers& shard) {
  if (shard.size == 0) return;
  launch({stream, "adamw", blocks_of(shard.size), kThreads}, adamw, scalars, shard);
}

void launch_follow(cudaStream_t stream, const FollowCall& call) {
  if (call.size == 0) return;
  launch({stream, "power average", blocks_of(call.size), kThreads}, follow_weights, call);
}

void launch_square_sums(cudaStream_t stream, const SquareSumsCall& call) {
  if (call.size == 0) return;
  const unsigned blocks = blocks_of(divide_up(call.size, call.block) * kLanes);
  if (call.count > 0) {
    launch({stream, "gradient norm", blocks, kThreads}, square_sums<true>, call);
  } else {
    launch({stream, "gradient norm", blocks, kThreads}, square_sums<false>, call);
  }
}

}  // namespace edt
