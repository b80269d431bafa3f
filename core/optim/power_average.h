// Moving averages whose weights follow a power of time (Karras et al., "Analyzing and Improving the
// Training Dynamics of Diffusion Models", arXiv 2312.02696, section 3): at step t the weights of
// step k count as the integral of tau^gamma over (k - 1, k] does in that over (0, t]. So the
// average grows with the run, and its length is a share of the run: the relative deviation
// sigma_rel of that profile. Averages of other lengths are sums of a few that were kept on the way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edt {

// Lengths that there are: up to that of the plain mean of all steps, gamma 0, 1 / sqrt(12).
inline constexpr double kShortestAverage = 0.001;
inline constexpr double kLongestAverage = 0.288;

// gamma of a length sigma_rel: the root of (gamma + 2)^2 (gamma + 3) sigma_rel^2 = gamma + 1.
// UsageError outside the lengths that there are.
double power_exponent(double length);
// sigma_rel of gamma, which is not negative.
double power_length(double exponent);

// An average that is carried through training.
struct PowerAverage {
  explicit PowerAverage(double sigma_rel)
      : length(sigma_rel), exponent(power_exponent(sigma_rel)) {}

  double length, exponent;
  // What the weights of a step, from 1, count in it: 1 - (1 - 1 / step)^(gamma + 1); 1 at the
  // first.
  double take(std::int64_t step) const;
  // The length as text: "0.05".
  std::string name() const;
};

// The profile of an average of so many steps.
struct PowerProfile {
  double exponent = 0, steps = 1;
};

// The integral of the product of two profiles, each of which has the integral 1.
double inner_product(const PowerProfile& a, const PowerProfile& b);

struct PowerFit {
  std::vector<double> weights;  // of the stored ones; their sum is 1
  // Of the profile that they make, relative to the wanted one: norm of the difference.
  double error = 0;
};

// The sum of `stored` averages that is nearest to the `wanted` one, by least squares over their
// profiles. `rounding`: of the stored values, relative; weights do not grow beyond what that
// allows. The sum of the weights is held at 1, so that what does not move stays as it is.
PowerFit fit_power_average(std::span<const PowerProfile> stored, const PowerProfile& wanted,
                           double rounding);

}  // namespace edt
