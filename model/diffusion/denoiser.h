// The trained network as a sampler sees it.
#pragma once

#include <functional>
#include <span>

#include "core/tensor/tensor.h"

namespace edt {

// Fills out [B, 2C, H, W] from x_t [B, C, H, W] and timesteps t [B] of the original schedule: C
// channels of predicted noise, then C that place the log variance between its bounds. Host float32.
using Denoiser =
    std::function<void(const Tensor& x_t, std::span<const float> t, const Tensor& out)>;

}  // namespace edt
