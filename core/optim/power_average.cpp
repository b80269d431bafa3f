#include "core/optim/power_average.h"

// The order of Eigen's sums would follow the number of its threads.
#define EIGEN_DONT_PARALLELIZE
#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {

double power_exponent(double length) {
  require<UsageError>(kShortestAverage <= length && length <= kLongestAverage, "average",
                      "a length of {} is none of a power-function average: {} to {}", length,
                      kShortestAverage, kLongestAverage);
  double low = 0, high = 1 / length;  // the length of an exponent is below its reciprocal
  while (true) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return middle;
    (power_length(middle) > length ? low : high) = middle;
  }
}

double power_length(double exponent) {
  return std::sqrt(exponent + 1) / ((exponent + 2) * std::sqrt(exponent + 3));
}

double PowerAverage::take(std::int64_t step) const {
  if (step <= 1) return 1;
  return -std::expm1((exponent + 1) * std::log1p(-1 / static_cast<double>(step)));
}

std::string PowerAverage::name() const { return fmt::format("{}", length); }

// Of (gamma + 1) tau^gamma / t^(gamma + 1) over (0, t].
double inner_product(const PowerProfile& a, const PowerProfile& b) {
  const bool a_ends_first = a.steps < b.steps;
  const double ratio = a_ends_first ? a.steps / b.steps : b.steps / a.steps;
  const double exponent = a_ends_first ? b.exponent : a.exponent;
  return (a.exponent + 1) * (b.exponent + 1) * std::pow(ratio, exponent) /
         ((a.exponent + b.exponent + 1) * std::max(a.steps, b.steps));
}

// Minimises |wanted - sum w_i stored_i|^2 + rounding^2 sum |w_i stored_i|^2 where sum w_i = 1: with
// profiles of norm 1, (G + rounding^2) y = g + m n, n_i the reciprocal norms and m what makes the
// sum right.
PowerFit fit_power_average(std::span<const PowerProfile> stored, const PowerProfile& wanted,
                           double rounding) {
  EDT_ASSERT(!stored.empty() && rounding > 0);
  const auto count = static_cast<Eigen::Index>(stored.size());
  const auto profile = [&](Eigen::Index i) { return stored[static_cast<std::size_t>(i)]; };
  const double norm = std::sqrt(inner_product(wanted, wanted));
  Eigen::VectorXd reciprocal(count), near(count);
  for (Eigen::Index i = 0; i < count; ++i) {
    reciprocal[i] = norm / std::sqrt(inner_product(profile(i), profile(i)));
    near[i] = inner_product(profile(i), wanted) * reciprocal[i] / (norm * norm);
  }
  Eigen::MatrixXd gram(count, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      gram(i, j) = gram(j, i) =
          inner_product(profile(i), profile(j)) * reciprocal[i] * reciprocal[j] / (norm * norm);
    }
  }
  Eigen::MatrixXd ridge = gram;
  ridge.diagonal().array() += rounding * rounding;
  const Eigen::LDLT<Eigen::MatrixXd> solver(ridge);
  const Eigen::VectorXd free = solver.solve(near), held = solver.solve(reciprocal);
  const double missing = (1 - reciprocal.dot(free)) / reciprocal.dot(held);
  const Eigen::VectorXd y = free + missing * held;

  PowerFit fit;
  for (Eigen::Index i = 0; i < count; ++i) fit.weights.push_back(y[i] * reciprocal[i]);
  fit.error = std::sqrt(std::max(0.0, 1 - 2 * near.dot(y) + y.dot(gram * y)));
  return fit;
}

}  // namespace edt
