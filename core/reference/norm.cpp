#include "core/reference/norm.h"

#include <cmath>

#include "core/ops/modulated_norm.h"

namespace edt {
namespace {

struct Statistics {
  double mean = 0, inverse_std = 0;
};

Statistics statistics(const double* row, std::int64_t width) {
  Statistics s;
  for (std::int64_t d = 0; d < width; ++d) s.mean += row[d] / static_cast<double>(width);
  double variance = 0;
  for (std::int64_t d = 0; d < width; ++d) {
    variance += (row[d] - s.mean) * (row[d] - s.mean) / static_cast<double>(width);
  }
  s.inverse_std = 1.0 / std::sqrt(variance + kNormEpsilon);
  return s;
}

}  // namespace

Doubles norm_forward(const Doubles& x, const NormShape& shape, const Columns& shift,
                     const Columns& scale, const Tensor& stats) {
  const Doubles add = load(shift), factor = load(scale);
  Doubles y(x.size()), saved;
  for (std::int64_t row = 0; row < shape.batch * shape.tokens; ++row) {
    const std::int64_t at = row * shape.width, sample = row / shape.tokens * shape.width;
    const Statistics s = statistics(x.data() + at, shape.width);
    saved.insert(saved.end(), {s.mean, s.inverse_std});
    for (std::int64_t d = 0; d < shape.width; ++d) {
      const double n = (x[at + d] - s.mean) * s.inverse_std;
      y[at + d] = n * (1.0 + factor[sample + d]) + add[sample + d];
    }
  }
  store(saved, stats);
  return y;
}

Doubles norm_backward(const Doubles& dy, const Doubles& x, const NormShape& shape,
                      const Columns& scale, const Columns& dshift, const Columns& dscale) {
  const Doubles factor = load(scale);
  const auto width = static_cast<double>(shape.width);
  Doubles dx(x.size()), add(factor.size(), 0.0), multiply(factor.size(), 0.0);
  for (std::int64_t row = 0; row < shape.batch * shape.tokens; ++row) {
    const std::int64_t at = row * shape.width, sample = row / shape.tokens * shape.width;
    const Statistics s = statistics(x.data() + at, shape.width);
    double mean_g = 0, mean_gn = 0;
    for (std::int64_t d = 0; d < shape.width; ++d) {
      const double n = (x[at + d] - s.mean) * s.inverse_std;
      const double g = dy[at + d] * (1.0 + factor[sample + d]);
      mean_g += g / width;
      mean_gn += g * n / width;
      add[sample + d] += dy[at + d];
      multiply[sample + d] += dy[at + d] * n;
    }
    for (std::int64_t d = 0; d < shape.width; ++d) {
      const double n = (x[at + d] - s.mean) * s.inverse_std;
      const double g = dy[at + d] * (1.0 + factor[sample + d]);
      dx[at + d] = (g - mean_g - n * mean_gn) * s.inverse_std;
    }
  }
  add_to(add, dshift);
  add_to(multiply, dscale);
  return dx;
}

}  // namespace edt
