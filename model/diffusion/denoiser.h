// The trained network as a sampler sees it.
#pragma once

#include <functional>

#include "core/tensor/tensor.h"

namespace edt {

// Where the network is asked. Decisions go by `step_t` alone, so both evaluations of a step are
// made alike.
struct Evaluation {
  double t = 0;       // from 0, data, to 1, noise; DDPM: timestep / 1000
  double step_t = 0;  // where the step begins
  float told = 0;     // what the network is told of t
};

// Fills out [B, Process::out_channels(C), H, W] from x_t [B, C, H, W]. Host float32.
using Denoiser = std::function<void(const Tensor& x_t, const Evaluation& at, const Tensor& out)>;

}  // namespace edt
