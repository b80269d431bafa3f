// The element-wise functions and their derivatives.
#pragma once

#include <cmath>
#include <numbers>

#include "core/ops/activation.h"

namespace edt {

// gelu = 0.5 x (1 + tanh u), u = sqrt(2/pi) (x + 0.044715 x^3)
inline const double kGeluScale = std::sqrt(2.0 / std::numbers::pi);
inline constexpr double kGeluCubic = 0.044715;

inline double activate(Activation kind, double x) {
  if (kind == Activation::kRelu) return x > 0 ? x : 0;
  if (kind == Activation::kSilu) return x / (1.0 + std::exp(-x));
  return 0.5 * x * (1.0 + std::tanh(kGeluScale * (x + kGeluCubic * x * x * x)));
}

// silu' = s (1 + x (1 - s)), s = sigmoid(x)
// gelu' = 0.5 (1 + tanh u) + 0.5 x (1 - tanh(u)^2) u'
inline double activation_derivative(Activation kind, double x) {
  if (kind == Activation::kRelu) return x > 0 ? 1 : 0;
  if (kind == Activation::kSilu) {
    const double s = 1.0 / (1.0 + std::exp(-x));
    return s * (1.0 + x * (1.0 - s));
  }
  const double t = std::tanh(kGeluScale * (x + kGeluCubic * x * x * x));
  const double du = kGeluScale * (1.0 + 3.0 * kGeluCubic * x * x);
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * du;
}

}  // namespace edt
