// The matrix products of passes and steps, read off the trace of what the program itself does. With
// one image and one rank the multiply-accumulates of a forward pass are what papers call GFLOPs.
#pragma once

#include <vector>

#include "model/plan/dry_run.h"
#include "model/sampling/cache_plan.h"

namespace edt {

// All that the trace does, each form once with its count.
std::vector<MatmulForm> gemms_of(const Trace& trace);

// Multiply-accumulates, and FLOPs: two for each.
double total_macs(const std::vector<MatmulForm>& gemms);
inline double total_flops(const std::vector<MatmulForm>& gemms) { return 2 * total_macs(gemms); }

// A forward pass of `images` images on one of `tensor_ranks`, as a sampler runs it.
std::vector<MatmulForm> forward_gemms(const ModelConfig& model, std::int64_t images,
                                      int tensor_ranks = 1);
// Such a pass of one image in which a cache stands for what it keeps. CacheConfig::is_on().
std::vector<MatmulForm> cached_forward_gemms(const ModelConfig& model, const CacheConfig& cache);
// Both forward passes of a training step at once; tokens are dropped at the mean of the ratios.
std::vector<MatmulForm> both_forward_gemms(const ModelConfig& model, std::int64_t images,
                                           int tensor_ranks = 1);

// Forward and backward of one micro-batch of a step, tokens dropped at the mean of the ratios; what
// recompute runs a second time is not counted.
std::vector<MatmulForm> training_gemms(PlannedStep step);

}  // namespace edt
