// One element of the variational bound of a model that predicts noise and places its log variance
// between two limits (Nichol and Dhariwal, arXiv 2102.09672), in nats, and its derivative with
// respect to the variance output v. The model mean is a constant.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edt {

struct BoundTerm {
  double value = 0;
  double dv = 0;
};

// KL(N(true_mean, exp(true_log)) || N(mean, exp(log))) =
//   0.5 (log - true_log - 1 + exp(true_log - log) + (true_mean - mean)^2 exp(-log))
inline BoundTerm kl_term(double true_mean, double true_log, double mean, double log_variance) {
  const double ratio = std::exp(true_log - log_variance);
  const double distance = (true_mean - mean) * (true_mean - mean) * std::exp(-log_variance);
  return {0.5 * (log_variance - true_log - 1.0 + ratio + distance), 0.5 * (1.0 - ratio - distance)};
}

// The tanh approximation of the normal distribution function, and its derivative.
struct Cdf {
  double value, slope;
};
inline Cdf approximate_cdf(double x) {
  const double scale = std::sqrt(2.0 / std::numbers::pi);
  const double t = std::tanh(scale * (x + 0.044715 * x * x * x));
  return {0.5 * (1.0 + t), 0.5 * (1.0 - t * t) * scale * (1.0 + 3.0 * 0.044715 * x * x)};
}

// -log of the normal's mass in the 1/255 half-width bin around x; the outermost bins are open.
// With c+- = (x - mean +- 1/255) exp(-log/2): dc/dlog = -c/2.
inline BoundTerm decoder_term(double x, double mean, double log_variance) {
  const double inverse_std = std::exp(-0.5 * log_variance);
  const double above = (x - mean + 1.0 / 255.0) * inverse_std;
  const double below = (x - mean - 1.0 / 255.0) * inverse_std;
  const Cdf high = approximate_cdf(above), low = approximate_cdf(below);
  double mass = high.value - low.value;
  double slope = -0.5 * (high.slope * above - low.slope * below);
  if (x < -0.999) {
    mass = high.value;
    slope = -0.5 * high.slope * above;
  } else if (x > 0.999) {
    mass = 1.0 - low.value;
    slope = 0.5 * low.slope * below;
  }
  constexpr double kFloor = 1e-12;
  if (mass < kFloor) return {-std::log(kFloor), 0.0};
  return {-std::log(mass), -slope / mass};
}

}  // namespace edt
