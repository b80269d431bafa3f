// The noise that sampling starts from and adds. Keyed by seed, step and picture, so a picture does
// not depend on the batch it is made in.
#pragma once

#include <cstdint>
#include <functional>

#include "core/tensor/tensor.h"

namespace edt {

// Fills out [B, C, H, W] with the noise of the sampler's step `step`, counted from 0 in the order
// in which the steps are taken.
using StepNoise = std::function<void(int step, const Tensor& out)>;

// Initial noise of pictures first, first + 1, ...
void fill_initial_noise(std::uint64_t seed, std::uint32_t first, const Tensor& out);

// Step noise of pictures first, first + 1, ...
StepNoise keyed_step_noise(std::uint64_t seed, std::uint32_t first);
// On their known parts, and of going back over a step.
StepNoise keyed_known_noise(std::uint64_t seed, std::uint32_t first);
StepNoise keyed_back_noise(std::uint64_t seed, std::uint32_t first);

// Step noise that the caller has: all [steps, N, C, H, W] of pictures 0 ... N-1; this batch begins
// at picture `first` and may reach beyond N: no noise there. `all` must outlive the result.
StepNoise given_step_noise(const Tensor& all, std::int64_t first);

}  // namespace edt
