#include "model/evaluation/power_law.h"

#include <algorithm>

#include "core/base/assert.h"
#include "model/evaluation/matrix.h"
// After matrix.h, which says how Eigen is used.
#include <unsupported/Eigen/NonLinearOptimization>

namespace edt {
namespace {

using Parameters = Eigen::VectorXd;  // logarithms of limit, scale, power

double log_fit(const Parameters& p, double log_step) {
  return std::log(std::exp(p(0)) + std::exp(p(1) - std::exp(p(2)) * log_step));
}

// Derivatives of log_fit by the parameters.
Eigen::Vector3d slope(const Parameters& p, double log_step) {
  const double limit = std::exp(p(0)), power = std::exp(p(2));
  const double falling = std::exp(p(1) - power * log_step), sum = limit + falling;
  return {limit / sum, falling / sum, -falling / sum * power * log_step};
}

// As Eigen's solver asks for it.
struct Residuals {
  using Scalar = double;
  enum { InputsAtCompileTime = Eigen::Dynamic, ValuesAtCompileTime = Eigen::Dynamic };
  using InputType = Eigen::VectorXd;
  using ValueType = Eigen::VectorXd;
  using JacobianType = Eigen::MatrixXd;

  Eigen::VectorXd log_steps, log_losses;

  int inputs() const { return 3; }
  int values() const { return static_cast<int>(log_steps.size()); }
  int operator()(const Parameters& p, Eigen::VectorXd& out) const {
    for (Eigen::Index i = 0; i < out.size(); ++i) out(i) = log_fit(p, log_steps(i)) - log_losses(i);
    return 0;
  }
  int df(const Parameters& p, Eigen::MatrixXd& out) const {
    for (Eigen::Index i = 0; i < out.rows(); ++i) out.row(i) = slope(p, log_steps(i)).transpose();
    return 0;
  }
};

// The scale that fits best, on the mean of logarithms, where limit and power are given.
Parameters start_at(const Residuals& curve, double limit, double power) {
  const Eigen::ArrayXd above = (curve.log_losses.array().exp() - limit).log();
  const double scale = (above + power * curve.log_steps.array()).mean();
  return Eigen::Vector3d(std::log(limit), scale, std::log(power));
}

struct Minimum {
  Parameters at;
  double objective;
};

Minimum minimum_from(Residuals& curve, Parameters start) {
  Eigen::LevenbergMarquardt<Residuals> solver(curve);
  solver.parameters.ftol = solver.parameters.xtol = 1e-15;
  solver.parameters.maxfev = 2000;
  solver.minimize(start);
  return {start, solver.fvec.squaredNorm()};
}

Minimum best_minimum(Residuals& curve, double lowest) {
  constexpr std::array kPowers{0.1, 0.2, 0.35, 0.5, 0.8, 1.2};
  constexpr std::array kLimits{0.2, 0.6, 0.9, 0.98};  // of the lowest loss
  std::optional<Minimum> best;
  for (const double power : kPowers) {
    for (const double limit : kLimits) {
      Minimum one = minimum_from(curve, start_at(curve, limit * lowest, power));
      if (one.at.allFinite() && (!best || one.objective < best->objective)) best = std::move(one);
    }
  }
  return best.value_or(Minimum{Parameters::Constant(3, NAN), NAN});
}

}  // namespace

double PowerLawFit::error_at(double step) const {
  const double scale = std::log(law.scale) - law.power * std::log(middle);
  const Eigen::Vector3d by = slope(Eigen::Vector3d(std::log(law.limit), scale, std::log(law.power)),
                                   std::log(step / middle));
  double variance = 0;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      variance +=
          by(i) * by(j) * covariance[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
    }
  }
  return std::sqrt(variance < 0 ? 0.0 : variance);
}

std::optional<PowerLawFit> fit_power_law(std::span<const double> steps,
                                         std::span<const double> losses) {
  EDT_ASSERT(steps.size() == losses.size());
  if (steps.size() < 4) return {};
  const auto count = static_cast<Eigen::Index>(steps.size());
  Residuals curve{ConstVectorMap(steps.data(), count).array().log(),
                  ConstVectorMap(losses.data(), count).array().log()};
  const double middle = curve.log_steps.mean();
  curve.log_steps.array() -= middle;
  const Minimum best = best_minimum(curve, std::ranges::min(losses));
  if (!best.at.allFinite()) return {};

  Eigen::MatrixXd slopes(count, 3);
  curve.df(best.at, slopes);
  const Eigen::Matrix3d information = slopes.transpose() * slopes;
  const Eigen::FullPivLU<Eigen::Matrix3d> solvable(information);
  PowerLawFit fit;
  fit.middle = std::exp(middle);
  fit.law.limit = std::exp(best.at(0));
  fit.law.power = std::exp(best.at(2));
  fit.law.scale = std::exp(best.at(1) + fit.law.power * middle);
  fit.objective = best.objective;
  const double variance = best.objective / static_cast<double>(count - 3);
  fit.deviation = std::sqrt(variance);
  const Eigen::Matrix3d inverse = solvable.isInvertible() ? Eigen::Matrix3d(solvable.inverse())
                                                          : Eigen::Matrix3d::Constant(INFINITY);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      fit.covariance[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] =
          variance * inverse(i, j);
    }
  }
  return fit;
}

}  // namespace edt
