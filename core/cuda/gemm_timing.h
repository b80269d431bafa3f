// Which of cuBLASLt's suggestions for a product is the fastest on this GPU.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/cuda/gemm_plan.h"
#include "core/cuda/tuned_gemms.h"

namespace edt {

// Runs the product many times on its own operands; waits for the stream. What it overwrites has its
// result then, what it adds to is left as it was, but for a fused bias, which has been added as
// often. Nothing: none of the suggestions runs.
std::optional<TunedGemm> fastest_algorithm(cudaStream_t stream, const GemmPlan& plan,
                                           const Gemm& gemm, void* workspace,
                                           const GemmTuning& tuning);

// What products of a trial are multiplied with, whose sums are to stay what they are.
float trial_scale(const Gemm& gemm);

// Usual seconds of each of `ways` to one result, which take turns for so many rounds.
std::vector<double> seconds_in_turns(cudaStream_t stream,
                                     const std::vector<std::function<void()>>& ways, int rounds);

}  // namespace edt
