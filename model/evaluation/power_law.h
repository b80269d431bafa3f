// L(s) = limit + scale s^-power, fitted to a curve of losses.
#pragma once

#include <array>
#include <cmath>
#include <optional>
#include <span>

namespace edt {

struct PowerLaw {
  double limit = 0, scale = 0, power = 0;
  double operator()(double step) const { return limit + scale * std::pow(step, -power); }
};

// The least sum of (log L - log fit)^2, by Levenberg and Marquardt in the logarithms of the three
// numbers (all of them stay positive), from a grid of starts: the same bits each time.
struct PowerLawFit {
  PowerLaw law;
  double objective = 0;  // the sum
  double deviation = 0;  // of log L from the fit
  // Of (log limit, log scale at `middle`, log power), which hang together less than at step 1;
  // infinite where the curve does not tell them apart.
  std::array<std::array<double, 3>, 3> covariance{};
  double middle = 1;  // a step

  // Of the logarithm of the fit at a step, as far as the three numbers are uncertain.
  double error_at(double step) const;
};

// As many steps as losses, all positive. Nothing for fewer than 4 of them, or where no three
// numbers are better than their neighbours.
std::optional<PowerLawFit> fit_power_law(std::span<const double> steps,
                                         std::span<const double> losses);

}  // namespace edt
