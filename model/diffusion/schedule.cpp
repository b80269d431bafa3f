#include "model/diffusion/schedule.h"

#include <cmath>
#include <numeric>

#include "core/base/assert.h"
#include "core/ops/diffusion_loss.h"

namespace edt {
namespace {

constexpr int kSteps = 1000;

std::vector<double> linear_betas() {
  constexpr double kFirst = 1e-4, kLast = 0.02;
  std::vector<double> betas(kSteps);
  for (int i = 0; i < kSteps; ++i) {
    betas[static_cast<std::size_t>(i)] = kFirst + (kLast - kFirst) * i / (kSteps - 1);
  }
  return betas;
}

std::vector<int> all_timesteps() {
  std::vector<int> timesteps(kSteps);
  std::iota(timesteps.begin(), timesteps.end(), 0);
  return timesteps;
}

DiffusionStep step_of(double beta, double alpha_bar_prev, int timestep) {
  const double alpha_bar = alpha_bar_prev * (1 - beta);
  const double variance = beta * (1 - alpha_bar_prev) / (1 - alpha_bar);
  return {.timestep = timestep,
          .beta = beta,
          .alpha_bar = alpha_bar,
          .alpha_bar_prev = alpha_bar_prev,
          .sqrt_recip_alpha_bar = std::sqrt(1 / alpha_bar),
          .sqrt_recip_m1_alpha_bar = std::sqrt(1 / alpha_bar - 1),
          .posterior_mean1 = beta * std::sqrt(alpha_bar_prev) / (1 - alpha_bar),
          .posterior_mean2 = (1 - alpha_bar_prev) * std::sqrt(1 - beta) / (1 - alpha_bar),
          .posterior_log_variance = std::log(variance),
          .log_beta = std::log(beta)};
}

}  // namespace

DiffusionSchedule::DiffusionSchedule() : DiffusionSchedule(linear_betas(), all_timesteps()) {}

DiffusionSchedule::DiffusionSchedule(std::span<const double> betas,
                                     std::span<const int> timesteps) {
  EDT_ASSERT(betas.size() == timesteps.size() && !betas.empty());
  double alpha_bar = 1;
  for (std::size_t i = 0; i < betas.size(); ++i) {
    steps_.push_back(step_of(betas[i], alpha_bar, timesteps[i]));
    alpha_bar = steps_.back().alpha_bar;
  }
  DiffusionStep& first = steps_.front();
  first.posterior_log_variance =
      steps_.size() > 1 ? steps_[1].posterior_log_variance : first.log_beta;
}

DiffusionSchedule DiffusionSchedule::spaced(std::span<const int> timesteps) const {
  std::vector<double> betas;
  std::vector<int> original;
  double previous = 1;
  for (int t : timesteps) {
    const DiffusionStep& step = (*this)[t];
    EDT_ASSERT(original.empty() || step.timestep > original.back());
    betas.push_back(1 - step.alpha_bar / previous);
    original.push_back(step.timestep);
    previous = step.alpha_bar;
  }
  return {betas, original};
}

const DiffusionStep& DiffusionSchedule::operator[](int step) const {
  EDT_ASSERT(step >= 0 && step < steps());
  return steps_[static_cast<std::size_t>(step)];
}

double DiffusionSchedule::snr_weight(int step, double gamma) const {
  if (gamma == 0) return 1;
  const double alpha_bar = (*this)[step].alpha_bar;
  const double snr = alpha_bar / (1 - alpha_bar);
  return std::min(snr, gamma) / snr;
}

void DiffusionSchedule::loss_coefficients(std::span<const std::int32_t> steps, double snr_gamma,
                                          std::span<float> out) const {
  EDT_ASSERT(out.size() == steps.size() * LossCoefficient::kCount);
  for (std::size_t b = 0; b < steps.size(); ++b) {
    const DiffusionStep& step = (*this)[steps[b]];
    float* row = &out[b * LossCoefficient::kCount];
    const auto set = [row](int column, double value) { row[column] = static_cast<float>(value); };
    set(LossCoefficient::kMseWeight, snr_weight(steps[b], snr_gamma));
    set(LossCoefficient::kVbWeight, 1);
    set(LossCoefficient::kSqrtRecipAlphaBar, step.sqrt_recip_alpha_bar);
    set(LossCoefficient::kSqrtRecipM1AlphaBar, step.sqrt_recip_m1_alpha_bar);
    set(LossCoefficient::kPosteriorMean1, step.posterior_mean1);
    set(LossCoefficient::kPosteriorMean2, step.posterior_mean2);
    set(LossCoefficient::kLogVarianceMin, step.posterior_log_variance);
    set(LossCoefficient::kLogVarianceMax, step.log_beta);
    set(LossCoefficient::kIsFirstStep, steps[b] == 0 ? 1 : 0);
  }
}

}  // namespace edt
