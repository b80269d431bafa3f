// Sampling around what is known of pictures: before the network is asked, the known part is put in
// place with the noise of that time, and at the end as it is. Any trained model does it
// (replacement conditioning; Lugmayr et al., RePaint, arXiv 2201.09865, algorithm 1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/diffusion/solvers/solver.h"

namespace edt {

// What is known of the pictures of a request.
struct KnownRegion {
  std::vector<float> latents;      // [N, C, H, W], or [1, C, H, W] for all
  std::vector<std::uint8_t> mask;  // [N, H, W], or [1, H, W] for all: not 0 where they are known
  std::vector<float> noise;        // [steps, N, C, H, W]; empty: drawn from the seed
};

// The same of pictures that are made together.
struct KnownBatch {
  std::span<const float> latents;      // [B, C, H, W]
  std::span<const std::uint8_t> mask;  // [B, H, W]
  StepNoise noise;

  // x [B, C, H, W] = alpha latents + sigma noise where they are known. `memory`: of x's size.
  void put(const PathPoint& at, int step, const Tensor& x, std::span<float> memory) const;
  void put_as_it_is(const Tensor& x) const;

 private:
  template <class F>
  void for_each_known(const Tensor& x, F f) const;
};

// How often each step is taken: after all but the last time x goes back to where the step began,
// with new noise, so that the known part and the rest come to fit each other.
struct Resampling {
  int times = 1;
  StepNoise noise;
};

// As Solver::run(), around what is known. Steps that are taken again have noise of their own.
// UsageError where the solver cannot take a step again.
void run_around(const Solver& solver, const Process& process, const Denoiser& model,
                const StepNoise& noise, const KnownBatch& known, const Resampling& resampling,
                const Tensor& x, const SamplingProgress& progress = {});

}  // namespace edt
