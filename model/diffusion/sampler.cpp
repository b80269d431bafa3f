#include "model/diffusion/sampler.h"

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
  const float* variance;  // -1 ... 1: place between the bounds of the log variance
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
    const float share = (p.variance[i] + 1) / 2;
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

SamplerKind parse_sampler_kind(std::string_view name) {
  for (auto kind : {SamplerKind::kDdpm, SamplerKind::kDdim}) {
    if (name == name_of(kind)) return kind;
  }
  fail<UsageError>("sampler", "sampler is '{}', must be ddpm or ddim", name);
}

std::string_view name_of(SamplerKind kind) { return kind == SamplerKind::kDdpm ? "ddpm" : "ddim"; }

Sampler::Sampler(DiffusionSchedule schedule, const SamplerConfig& config)
    : schedule_(std::move(schedule)), config_(config) {
  require<UsageError>(config.eta >= 0 && config.eta <= 1, "sampler",
                      "eta is {}, must be between 0 and 1", config.eta);
  require<UsageError>(config.kind == SamplerKind::kDdim || config.eta == 0, "sampler",
                      "eta is {}, but only ddim has it", config.eta);
}

bool Sampler::is_noisy(int step) const {
  return step > 0 && (config_.kind == SamplerKind::kDdpm || config_.eta > 0);
}

void Sampler::run(const Denoiser& model, const StepNoise& noise, const Tensor& x,
                  const SamplingProgress& progress) const {
  EDT_ASSERT(x.shape.rank() == 4);
  const std::int64_t pictures = x.shape[0];
  const auto size = static_cast<std::size_t>(x.elements() / std::max<std::int64_t>(1, pictures));
  const Shape out_shape{pictures, 2 * x.shape[1], x.shape[2], x.shape[3]};
  std::vector<float> out_memory(2 * x.span<float>().size()), noise_memory(x.span<float>().size());
  const Tensor out = view_of(std::span(out_memory), out_shape);
  const Tensor noise_tensor = view_of(std::span(noise_memory), x.shape);
  std::vector<float> timesteps(static_cast<std::size_t>(pictures));

  for (int done = 0; done < steps(); ++done) {
    const int index = steps() - 1 - done;
    const DiffusionStep& step = schedule_[index];
    std::ranges::fill(timesteps, static_cast<float>(step.timestep));
    model(x, timesteps, out);
    if (is_noisy(index)) noise(done, noise_tensor);
    const Origin origin(step, config_.clip_denoised);
#pragma omp parallel for schedule(static)
    for (std::int64_t b = 0; b < pictures; ++b) {
      const std::size_t first = static_cast<std::size_t>(b) * size;
      const Picture picture{.x = x.as<float>() + first,
                            .epsilon = &out_memory[2 * first],
                            .variance = &out_memory[2 * first + size],
                            .noise = is_noisy(index) ? &noise_memory[first] : nullptr,
                            .n = size};
      if (config_.kind == SamplerKind::kDdpm) {
        ddpm_step(step, origin, picture);
      } else {
        ddim_step(step, origin, config_.eta, picture);
      }
    }
    if (progress) progress(done + 1, steps());
  }
}

}  // namespace edt
