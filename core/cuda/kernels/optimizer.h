// The optimizers on a flat shard: one pass that clips, updates the weights and their state, follows
// them with the moving average and writes the bf16 copy.
#pragma once

#include "core/cuda/kernels/launch.h"
#include "core/optim/adamw_step.h"
#include "core/optim/adan_step.h"

namespace edt {

struct ShardPointers {
  std::int64_t size = 0;
  const float* grads = nullptr;
  float* params = nullptr;
  float* ema = nullptr;     // or null
  void* working = nullptr;  // bf16, or null
  float ema_keep = 0, ema_take = 0;
  float* states[4] = {};
};

// states: exp_avg, exp_avg_diff, exp_avg_sq, previous_grad
void launch_adan(cudaStream_t stream, const AdanScalars& scalars, bool first_step,
                 const ShardPointers& shard);
// states: exp_avg, exp_avg_sq
void launch_adamw(cudaStream_t stream, const AdamWScalars& scalars, const ShardPointers& shard);

// average += take (params - average); take 1: a copy
struct FollowCall {
  std::int64_t size = 0;
  const float* params = nullptr;
  float* average = nullptr;
  float take = 0;
};
void launch_follow(cudaStream_t stream, const FollowCall& call);

// Elements [begin, end) that a sum leaves out.
struct LeftOut {
  std::int64_t begin, end;
};

// sums[i] = sum of squares of values[i * block ... ], in the order of core/optim/grad_norm.cpp,
// with the elements of `count` ranges (ascending, apart) counted as zero
struct SquareSumsCall {
  const float* values = nullptr;
  std::int64_t size = 0, block = 0;
  const LeftOut* ranges = nullptr;
  std::int64_t count = 0;
  double* sums = nullptr;
};
void launch_square_sums(cudaStream_t stream, const SquareSumsCall& call);

}  // namespace edt
