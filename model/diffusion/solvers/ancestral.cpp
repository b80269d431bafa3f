#include "model/diffusion/solvers/ancestral.h"

#include <algorithm>
#include <cmath>

#include "core/base/assert.h"
#include "core/base/error.h"

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

void Ancestral::run(const Denoiser& model, const StepNoise& noise, const Tensor& x,
                    const SamplingProgress& progress) const {
  EDT_ASSERT(x.shape.rank() == 4);
  const std::int64_t pictures = x.shape[0];
  const bool learns_variance = process_.config().learns_variance();
  const bool gives_noise = process_.config().prediction == PredictionType::kNoise;
  const auto size = static_cast<std::size_t>(x.elements() / std::max<std::int64_t>(1, pictures));
  const std::size_t of_output = learns_variance ? 2 * size : size;
  const Shape out_shape{pictures, process_.config().out_channels(x.shape[1]), x.shape[2],
                        x.shape[3]};
  std::vector<float> out_memory(of_output * static_cast<std::size_t>(pictures)),
      noise_memory(x.span<float>().size());
  const Tensor out = view_of(std::span(out_memory), out_shape);
  const Tensor noise_tensor = view_of(std::span(noise_memory), x.shape);

  for (int done = 0; done < schedule_.steps(); ++done) {
    const int index = schedule_.steps() - 1 - done;
    const DiffusionStep& step = schedule_[index];
    const double t = process_.time_of(step.timestep);
    model(x, {t, t, process_.told(t)}, out);
    if (is_noisy_at(index)) noise(done, noise_tensor);
    const Origin origin(step, config_.clip_denoised);
    const Mix to_noise = process_.noise(process_.at_alpha_bar(step.alpha_bar));
#pragma omp parallel for schedule(static) if (pictures > 1)
    for (std::int64_t b = 0; b < pictures; ++b) {
      const std::size_t row = static_cast<std::size_t>(b), first = row * size;
      float* const given = &out_memory[row * of_output];
      if (!gives_noise) {
        for (std::size_t i = 0; i < size; ++i) {
          given[i] = to_noise(x.as<float>()[first + i], given[i]);
        }
      }
      const Picture picture{.x = x.as<float>() + first,
                            .epsilon = given,
                            .variance = learns_variance ? given + size : nullptr,
                            .noise = is_noisy_at(index) ? &noise_memory[first] : nullptr,
                            .n = size};
      if (config_.kind == SolverKind::kDdpm) {
        ddpm_step(step, origin, picture);
      } else {
        ddim_step(step, origin, config_.eta, picture);
      }
    }
    if (progress) progress(done + 1, schedule_.steps());
  }
}

}  // namespace edt
