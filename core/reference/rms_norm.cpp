// y = w n with n = r x, r = 1 / sqrt(mean x^2 + eps).  dw = column sums of dy n.
// dx = r (w dy - n mean(w dy n)).
#include "core/ops/rms_norm.h"

#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::rms_norm_forward(T x, T weight, T y, T factors) {
  const std::int64_t m = x.shape[0], n = x.shape[1];
  const Doubles w = load(weight);
  Doubles out = load(x), r(static_cast<std::size_t>(m));
  for (std::int64_t i = 0; i < m; ++i) {
    double* const row = out.data() + i * n;
    double squares = 0;
    for (std::int64_t j = 0; j < n; ++j) squares += row[j] * row[j];
    r[i] = 1 / std::sqrt(squares / static_cast<double>(n) + kRmsEpsilon);
    for (std::int64_t j = 0; j < n; ++j) row[j] *= r[i] * w[j];
  }
  store(out, y);
  store(r, factors);
}

void ReferenceBackend::rms_norm_backward(T dy, T x, T weight, T factors, G dx, G dweight) {
  const std::int64_t m = x.shape[0], n = x.shape[1];
  const Doubles w = load(weight), r = load(factors), in = load(x), d = load(dy);
  Doubles to_x(in.size()), to_weight(w.size(), 0.0);
  for (std::int64_t i = 0; i < m; ++i) {
    double mean = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      const double normed = r[i] * in[i * n + j];
      to_weight[j] += d[i * n + j] * normed;
      mean += w[j] * d[i * n + j] * normed / static_cast<double>(n);
    }
    for (std::int64_t j = 0; j < n; ++j) {
      const std::int64_t at = i * n + j;
      to_x[at] = r[i] * (w[j] * d[at] - r[i] * in[at] * mean);
    }
  }
  store(to_x, dx);
  store(to_weight, dweight);
}

}  // namespace edt
