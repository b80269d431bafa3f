#include "model/diffusion/process.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/assert.h"

namespace edt {

std::string_view name_of(ProcessKind kind) { return kind == ProcessKind::kDdpm ? "ddpm" : "flow"; }

std::string text_of(const ProcessConfig& config) {
  const char* predicted = config.prediction == PredictionType::kNoise    ? "noise"
                          : config.prediction == PredictionType::kOrigin ? "x0"
                                                                         : "velocity";
  if (config.discrete()) {
    return fmt::format("ddpm that predicts {}{}", predicted,
                       config.learns_variance() ? " and variance" : "");
  }
  return fmt::format("a {} flow that predicts {}, {} told as {}",
                     config.path == FlowPath::kLinear ? "linear" : "cosine", predicted,
                     config.told == Told::kData ? "data" : "noise", config.told_scale);
}

ProcessConfig ProcessConfig::flow(FlowPath path) {
  return {.kind = ProcessKind::kFlow, .prediction = PredictionType::kVelocity, .path = path};
}

Process::Process(const ProcessConfig& config) : config_(config) {
  if (config.discrete()) schedule_.emplace();
}

std::int32_t Process::step(double t) const {
  return static_cast<std::int32_t>(std::lround(t * schedule_->steps()));
}

double Process::time_of(std::int32_t step) const {
  return static_cast<double>(step) / schedule_->steps();
}

PathPoint Process::at(double t) const {
  if (schedule_) return at_alpha_bar((*schedule_)[step(t)].alpha_bar);
  if (config_.path == FlowPath::kLinear) return {t, 1 - t, t, -1, 1};
  constexpr double kQuarter = std::numbers::pi / 2;
  const double cosine = std::cos(kQuarter * t), sine = std::sin(kQuarter * t);
  return {t, cosine, sine, -kQuarter * sine, kQuarter * cosine};
}

PathPoint Process::at_alpha_bar(double alpha_bar) const {
  const double alpha = std::sqrt(alpha_bar), sigma = std::sqrt(1 - alpha_bar);
  return {std::atan2(sigma, alpha), alpha, sigma, -sigma, alpha};
}

PathPoint Process::data() const { return schedule_ ? at_alpha_bar(1) : at(0); }

double Process::noisiest() const {
  if (schedule_) return time_of(schedule_->steps() - 1);
  constexpr double kLeft = 1e-3;  // of the data, as in the code of arXiv 2401.08740
  return config_.prediction == PredictionType::kNoise ? 1 - kLeft : 1;
}

float Process::told(double t) const {
  if (schedule_) return static_cast<float>(step(t));
  return static_cast<float>(config_.told_scale * (config_.told == Told::kData ? 1 - t : t));
}

double Process::sign() const { return !schedule_ && config_.told == Told::kData ? -1 : 1; }

std::pair<double, double> Process::target(double t) const {
  if (config_.prediction == PredictionType::kNoise) return {0, 1};
  if (config_.prediction == PredictionType::kOrigin) return {1, 0};
  const PathPoint p = at(t);
  return {sign() * p.alpha_rate, sign() * p.sigma_rate};
}

Mix Process::origin(const PathPoint& p) const {
  switch (config_.prediction) {
    case PredictionType::kOrigin:
      return {0, 1};
    case PredictionType::kNoise:
      return {1 / p.alpha, -p.sigma / p.alpha};
    case PredictionType::kVelocity:
      break;
  }
  const double turn = p.alpha * p.sigma_rate - p.sigma * p.alpha_rate;
  return {p.sigma_rate / turn, -sign() * p.sigma / turn};
}

Mix Process::noise(const PathPoint& p) const {
  switch (config_.prediction) {
    case PredictionType::kNoise:
      return {0, 1};
    case PredictionType::kOrigin:
      return {1 / p.sigma, -p.alpha / p.sigma};
    case PredictionType::kVelocity:
      break;
  }
  const double turn = p.alpha * p.sigma_rate - p.sigma * p.alpha_rate;
  return {-p.alpha_rate / turn, sign() * p.alpha / turn};
}

Mix Process::velocity(const PathPoint& p) const {
  if (config_.prediction == PredictionType::kVelocity) return {0, sign()};
  const Mix x_0 = origin(p), e = noise(p);
  return {p.alpha_rate * x_0.of_x + p.sigma_rate * e.of_x,
          p.alpha_rate * x_0.of_out + p.sigma_rate * e.of_out};
}

// By the errors of x_0: (noise) snr, (velocity) snr + 1 times smaller.
double Process::snr_weight(double t, double gamma) const {
  if (gamma == 0) return 1;
  EDT_ASSERT(schedule_.has_value());
  if (config_.prediction == PredictionType::kNoise) return schedule_->snr_weight(step(t), gamma);
  const double alpha_bar = (*schedule_)[step(t)].alpha_bar, snr = alpha_bar / (1 - alpha_bar);
  return std::min(snr, gamma) / (config_.prediction == PredictionType::kOrigin ? 1 : snr + 1);
}

}  // namespace edt
