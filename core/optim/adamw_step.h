// One element of AdamW's update, the same roundings on every processor:
//   m = b1 m + (1-b1) g,  n = b2 n + (1-b2) g^2
//   w = decay * w - step_size * m / (sqrt(n) / root_correction + eps)
// Compile its users without fused multiply-add.
#pragma once

#include <cmath>

#include "core/base/host_device.h"

namespace edt {

struct AdamWScalars {
  float grad_scale;
  float b1, b2, take1, take2;
  float root_correction, eps;
  float step_size, decay;
};

struct AdamWElement {
  float param, exp_avg, exp_avg_sq;
};

EDT_HOST_DEVICE inline AdamWElement adamw_step(const AdamWScalars& s, float raw_grad,
                                               AdamWElement e) {
  const float grad = raw_grad * s.grad_scale;
  const float m = s.b1 * e.exp_avg + s.take1 * grad;
  const float square = s.b2 * e.exp_avg_sq + s.take2 * (grad * grad);
  const float denom = std::sqrt(square) / s.root_correction + s.eps;
  return {s.decay * e.param - s.step_size * (m / denom), m, square};
}

}  // namespace edt
