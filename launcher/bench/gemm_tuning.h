// Steps whose matrix products a backend meets, so that it chooses their algorithms by timing.
#pragma once

#include "core/cuda/cuda_backend.h"
#include "launcher/bench/step_bench.h"

namespace edt {

struct TunedSteps {
  StepBenchOptions step;
  int training = 2;                  // steps; 0: none
  std::int64_t sample_pictures = 0;  // of a guided sampler step; 0: none
};

// How often one step asks for each product.
using GemmCalls = std::map<GemmKey, std::int64_t>;
struct StepCalls {
  GemmCalls training, sampling;
};

// On one rank, without CUDA graphs. What the steps compute means nothing: algorithms change within.
StepCalls run_tuned_steps(const TunedSteps& steps, Backend& backend, Communicator& rank);

// Of the products of one step, each alone.
struct GemmSeconds {
  double first = 0, chosen = 0;  // by the library's first suggestions, by what was chosen
};
GemmSeconds seconds_of(const GemmCalls& calls, const TunedGemms& tuned);

}  // namespace edt
