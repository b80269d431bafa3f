// One element of Adan's update, the same roundings on every processor. With g the clipped gradient
// and d = g - previous g:
//   m = b1 m + (1-b1) g,  v = b2 v + (1-b2) d,  n = b3 n + (1-b3) (g + b2 d)^2
//   denom = sqrt(n) / root_correction + eps
//   w = (decay_before * w - step_m * (m / denom) - step_v * (v / denom)) / decay_after
// in this order of roundings, which is PyTorch's. Compile its users without fused multiply-add.
#pragma once

#include <cmath>

#include "core/base/host_device.h"

namespace edt {

struct AdanScalars {
  float grad_scale;
  float b1, b2, b3, take1, take2, take3;
  float root_correction, eps;
  float step_m, step_v;
  float decay_before, decay_after;
};

struct AdanElement {
  float param, exp_avg, exp_avg_diff, exp_avg_sq, previous_grad;
};

// On the first step the previous gradient is this one, so that the difference is zero.
template <bool kFirst>
EDT_HOST_DEVICE inline AdanElement adan_step(const AdanScalars& s, float raw_grad, AdanElement e) {
  const float grad = raw_grad * s.grad_scale;
  const float diff = kFirst ? 0.0f : grad - e.previous_grad;
  const float look_ahead = grad + s.b2 * diff;
  const float m = s.b1 * e.exp_avg + s.take1 * grad;
  const float v = s.b2 * e.exp_avg_diff + s.take2 * diff;
  const float square = s.b3 * e.exp_avg_sq + s.take3 * (look_ahead * look_ahead);
  const float denom = std::sqrt(square) / s.root_correction + s.eps;
  const float moved = s.decay_before * e.param - s.step_m * (m / denom) - s.step_v * (v / denom);
  return {moved / s.decay_after, m, v, square, grad};
}

}  // namespace edt
