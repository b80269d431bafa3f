// scale' = w (1 + s) - 1 and shift' = b (1 + s) + h in row r of [shift' | scale'].
// dw = sum_r dscale' (1 + s), db = sum_r dshift' (1 + s), ds = dscale' w + dshift' b, dh = dshift'.
// The norm itself is in modulated_norm.cpp.
#include "core/ops/affine_norm.h"

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// Of [rows, width]; without a tensor zeros.
Doubles zeros_or(const Columns& columns, std::int64_t elements) {
  if (columns.tensor.defined()) return load(columns);
  return Doubles(static_cast<std::size_t>(elements), 0.0);
}

}  // namespace

void ReferenceBackend::fold_affine_forward(T weight, T bias, C shift, C scale, T y) {
  const std::int64_t n = weight.shape[0], rows = y.shape[0];
  const Doubles w = load(weight), b = load(bias);
  const Doubles h = zeros_or(shift, rows * n), s = zeros_or(scale, rows * n);
  Doubles out(static_cast<std::size_t>(2 * rows * n));
  for (std::int64_t i = 0; i < rows * n; ++i) {
    const std::int64_t row = i / n, d = i % n;
    out[2 * row * n + d] = b[d] * (1 + s[i]) + h[i];
    out[(2 * row + 1) * n + d] = w[d] * (1 + s[i]) - 1;
  }
  store(out, y);
}

void ReferenceBackend::fold_affine_backward(T dy, T weight, T bias, C scale, C dshift, C dscale,
                                            G dweight, G dbias) {
  const std::int64_t n = weight.shape[0], rows = dy.shape[0];
  const Doubles w = load(weight), b = load(bias), s = zeros_or(scale, rows * n), d = load(dy);
  Doubles to_shift(s.size()), to_scale(s.size()), to_weight(w.size(), 0.0), to_bias(b.size(), 0.0);
  for (std::int64_t i = 0; i < rows * n; ++i) {
    const std::int64_t row = i / n, at = i % n;
    const double of_shift = d[2 * row * n + at], of_scale = d[(2 * row + 1) * n + at];
    to_shift[i] = of_shift;
    to_scale[i] = of_scale * w[at] + of_shift * b[at];
    to_weight[at] += of_scale * (1 + s[i]);
    to_bias[at] += of_shift * (1 + s[i]);
  }
  add_to(to_shift, dshift);
  add_to(to_scale, dscale);
  store(to_weight, dweight);
  store(to_bias, dbias);
}

}  // namespace edt
