#include "model/diffusion/solvers/ancestral.h"

#include <algorithm>
#include <cmath>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "model/diffusion/solvers/time_grid.h"

namespace edt {
namespace {

// Pointers to one picture; n values each.
struct Picture {
  float* x;               // x_t, then x_{t-1}
  const float* epsilon;   // predicted noise
  const float* variance;  // -1 ... 1: place between the bounds of the log variance; nullptr: -1
  const float* noise;     // nullptr: none is added
  std::size_t n;
};

// Predicts x_0 from the predicted noise.
class Origin {
 public:
  Origin(const DiffusionStep& step, bool clip)
      : x_scale_(static_cast<float>(step.sqrt_recip_alpha_bar)),
        noise_scale_(static_cast<float>(step.sqrt_recip_m1_alpha_bar)),
        clip_(clip) {}

  float operator()(float x, float epsilon) const {
    const float origin = x_scale_ * x - noise_scale_ * epsilon;
    return clip_ ? std::clamp(origin, -1.0f, 1.0f) : origin;
  }
  // The noise that leads from `origin` to x.
  float noise(float x, float origin) const { return (x_scale_ * x - origin) / noise_scale_; }

 private:
  float x_scale_, noise_scale_;
  bool clip_;
};

// x_{t-1} = posterior mean(x_0, x_t) + exp(log variance / 2) * noise
void ddpm_step(const DiffusionStep& step, const Origin& origin, const Picture& p) {
  const auto mean1 = static_cast<float>(step.posterior_mean1);
  const auto mean2 = static_cast<float>(step.posterior_mean2);
  const auto low = static_cast<float>(step.posterior_log_variance);
  const auto high = static_cast<float>(step.log_beta);
  for (std::size_t i = 0; i < p.n; ++i) {
    const float mean = mean1 * origin(p.x[i], p.epsilon[i]) + mean2 * p.x[i];
    p.x[i] = mean;
    if (p.noise == nullptr) continue;
    const float share = p.variance == nullptr ? 0 : (p.variance[i] + 1) / 2;
    const float log_variance = share * high + (1 - share) * low;
    p.x[i] = mean + std::exp(0.5f * log_variance) * p.noise[i];
  }
}

// x_{t-1} = sqrt(alpha_bar') x_0 + sqrt(1 - alpha_bar' - sigma^2) epsilon + sigma * noise with
// sigma = eta sqrt((1 - alpha_bar') / (1 - alpha_bar)) sqrt(1 - alpha_bar / alpha_bar')
// (Song et al., arXiv 2010.02502, equations 12 and 16; alpha_bar' is that of the next step down).
void ddim_step(const DiffusionStep& step, const Origin& origin, double eta, const Picture& p) {
  const double sigma = eta * std::sqrt((1 - step.alpha_bar_prev) / (1 - step.alpha_bar)) *
                       std::sqrt(1 - step.alpha_bar / step.alpha_bar_prev);
  const auto towards_origin = static_cast<float>(std::sqrt(step.alpha_bar_prev));
  const auto direction =
      static_cast<float>(std::sqrt(std::max(0.0, 1 - step.alpha_bar_prev - sigma * sigma)));
  for (std::size_t i = 0; i < p.n; ++i) {
    const float x_0 = origin(p.x[i], p.epsilon[i]);
    const float next = towards_origin * x_0 + direction * origin.noise(p.x[i], x_0);
    p.x[i] = p.noise == nullptr ? next : next + static_cast<float>(sigma) * p.noise[i];
  }
}

}  // namespace

Ancestral::Ancestral(const Process& process, DiffusionSchedule schedule, const SolverConfig& config)
    : process_(process), schedule_(std::move(schedule)), config_(config) {
  require<UsageError>(config.eta >= 0 && config.eta <= 1, "sampler",
                      "eta is {}, must be between 0 and 1", config.eta);
}

std::vector<double> Ancestral::times() const {
  std::vector<double> all;
  for (int step = schedule_.steps() - 1; step >= 0; --step) {
    all.push_back(process_.time_of(schedule_[step].timestep));
  }
  return all;
}

class Ancestral::Run final : public SolverRun {
 public:
  Run(const Ancestral& solver, Denoiser model, StepNoise noise, const Tensor& x)
      : solver_(solver),
        model_(std::move(model)),
        noise_(std::move(noise)),
        x_(x),
        memory_(solver.process_, x) {}

  void step(int done, int noise_step) override {
    const int index = solver_.schedule_.steps() - 1 - done;
    const Process& process = solver_.process_;
    const double t = process.time_of(solver_.schedule_[index].timestep);
    model_(x_, {t, t, process.told(t)}, memory_.out);
    if (solver_.is_noisy_at(index)) noise_(noise_step, memory_.noise);
    const std::int64_t pictures = x_.shape[0];
#pragma omp parallel for schedule(static) if (pictures > 1)
    for (std::int64_t b = 0; b < pictures; ++b) move_picture(index, static_cast<std::size_t>(b));
  }

 private:
  void move_picture(int index, std::size_t b) const {
    const DiffusionStep& step = solver_.schedule_[index];
    const ProcessConfig& process = solver_.process_.config();
    const std::size_t size = x_.span<float>().size() / static_cast<std::size_t>(x_.shape[0]);
    float* const x = x_.as<float>() + b * size;
    float* const given = memory_.out.as<float>() + memory_.place(b);
    if (process.prediction != PredictionType::kNoise) {
      const Mix to_noise = solver_.process_.noise(solver_.process_.at_alpha_bar(step.alpha_bar));
      for (std::size_t i = 0; i < size; ++i) given[i] = to_noise(x[i], given[i]);
    }
    const bool is_noisy = solver_.is_noisy_at(index);
    const Picture picture{.x = x,
                          .epsilon = given,
                          .variance = process.learns_variance() ? given + size : nullptr,
                          .noise = is_noisy ? memory_.noise.as<float>() + b * size : nullptr,
                          .n = size};
    const Origin origin(step, solver_.config_.clip_denoised);
    if (solver_.config_.kind == SolverKind::kDdpm) {
      ddpm_step(step, origin, picture);
    } else {
      ddim_step(step, origin, solver_.config_.eta, picture);
    }
  }

  const Ancestral& solver_;
  Denoiser model_;
  StepNoise noise_;
  Tensor x_;
  StepMemory memory_;
};

std::unique_ptr<SolverRun> Ancestral::begin(const Denoiser& model, const StepNoise& noise,
                                            const Tensor& x) const {
  EDT_ASSERT(x.shape.rank() == 4);
  return std::make_unique<Run>(*this, model, noise, x);
}

}  // namespace edt
