// y = w n (1 + scale[b]) + shift[b] on gathered rows x [B, T, W]. Layer norm: n = (x - mean) /
// sqrt(var + eps) and w = 1. RMS norm: n = x / sqrt(mean(x^2) + eps) with a weight w.
// Backward, with g = dy w (1 + scale): dshift = sum_T dy, dscale = sum_T dy w n, dw = sum over all
// rows of dy (1 + scale) n, dx = (g - mean(g) - n mean(g n)) / sqrt(..), without mean(g) for RMS.
#pragma once

#include "core/ops/modulated_norm.h"
#include "core/reference/doubles.h"

namespace edt {

struct NormShape {
  std::int64_t batch, tokens, width;
  const Doubles* weight = nullptr;  // RMS norm by this weight
  double epsilon = kNormEpsilon;
};

// stats [B*T, 2] receives mean (0 for RMS) and 1/std (1/rms). No shift: its tensor is undefined.
Doubles norm_forward(const Doubles& x, const NormShape& shape, const Columns& shift,
                     const Columns& scale, const Tensor& stats);

// Adds to dshift and dscale. Statistics are computed afresh.
struct NormGradients {
  Doubles x, weight;
};
NormGradients norm_backward(const Doubles& dy, const Doubles& x, const NormShape& shape,
                            const Columns& scale, const Columns& dshift, const Columns& dscale);

}  // namespace edt
