// y = n * (1 + scale[b]) + shift[b] with n = (x - mean) / sqrt(var + eps), on gathered rows
// x [B, T, W]. Backward, with g = dy (1 + scale): dshift = sum_T dy, dscale = sum_T dy n,
// dx = (g - mean(g) - n mean(g n)) / sqrt(var + eps).
#pragma once

#include "core/reference/doubles.h"

namespace edt {

struct NormShape {
  std::int64_t batch, tokens, width;
};

// stats [B*T, 2] receives mean and 1/std.
Doubles norm_forward(const Doubles& x, const NormShape& shape, const Columns& shift,
                     const Columns& scale, const Tensor& stats);

// Returns dx; adds to dshift and dscale. Statistics are computed afresh.
Doubles norm_backward(const Doubles& dy, const Doubles& x, const NormShape& shape,
                      const Columns& scale, const Columns& dshift, const Columns& dscale);

}  // namespace edt
