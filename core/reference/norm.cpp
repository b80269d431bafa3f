#include "core/reference/norm.h"

#include <cmath>

namespace edt {
namespace {

struct Statistics {
  double mean = 0, inverse_std = 0;
};

Statistics statistics(const double* row, const NormShape& shape) {
  const auto width = static_cast<double>(shape.width);
  Statistics s;
  if (shape.weight == nullptr) {
    for (std::int64_t d = 0; d < shape.width; ++d) s.mean += row[d] / width;
  }
  double variance = 0;
  for (std::int64_t d = 0; d < shape.width; ++d) {
    variance += (row[d] - s.mean) * (row[d] - s.mean) / width;
  }
  s.inverse_std = 1.0 / std::sqrt(variance + shape.epsilon);
  return s;
}

double weight_of(const NormShape& shape, std::int64_t d) {
  return shape.weight == nullptr ? 1.0 : (*shape.weight)[d];
}

}  // namespace

Doubles norm_forward(const Doubles& x, const NormShape& shape, const Columns& shift,
                     const Columns& scale, const Tensor& stats) {
  const Doubles factor = load(scale);
  const Doubles add = shift.tensor.defined() ? load(shift) : Doubles(factor.size(), 0.0);
  Doubles y(x.size()), saved;
  for (std::int64_t row = 0; row < shape.batch * shape.tokens; ++row) {
    const std::int64_t at = row * shape.width, sample = row / shape.tokens * shape.width;
    const Statistics s = statistics(x.data() + at, shape);
    saved.insert(saved.end(), {s.mean, s.inverse_std});
    for (std::int64_t d = 0; d < shape.width; ++d) {
      const double n = (x[at + d] - s.mean) * s.inverse_std;
      y[at + d] = n * weight_of(shape, d) * (1.0 + factor[sample + d]) + add[sample + d];
    }
  }
  store(saved, stats);
  return y;
}

NormGradients norm_backward(const Doubles& dy, const Doubles& x, const NormShape& shape,
                            const Columns& scale, const Columns& dshift, const Columns& dscale) {
  const Doubles factor = load(scale);
  const auto width = static_cast<double>(shape.width);
  Doubles dx(x.size()), add(factor.size(), 0.0), multiply(factor.size(), 0.0);
  Doubles dweight(static_cast<std::size_t>(shape.width), 0.0);
  for (std::int64_t row = 0; row < shape.batch * shape.tokens; ++row) {
    const std::int64_t at = row * shape.width, sample = row / shape.tokens * shape.width;
    const Statistics s = statistics(x.data() + at, shape);
    double mean_g = 0, mean_gn = 0;
    for (std::int64_t d = 0; d < shape.width; ++d) {
      const double n = (x[at + d] - s.mean) * s.inverse_std, w = weight_of(shape, d);
      const double g = dy[at + d] * w * (1.0 + factor[sample + d]);
      if (shape.weight == nullptr) mean_g += g / width;
      mean_gn += g * n / width;
      add[sample + d] += dy[at + d];
      multiply[sample + d] += dy[at + d] * w * n;
      dweight[d] += dy[at + d] * (1.0 + factor[sample + d]) * n;
    }
    for (std::int64_t d = 0; d < shape.width; ++d) {
      const double n = (x[at + d] - s.mean) * s.inverse_std;
      const double g = dy[at + d] * weight_of(shape, d) * (1.0 + factor[sample + d]);
      dx[at + d] = (g - mean_g - n * mean_gn) * s.inverse_std;
    }
  }
  add_to(add, dshift);
  add_to(multiply, dscale);
  return {std::move(dx), std::move(dweight)};
}

}  // namespace edt
