// From noise to pictures: ancestral sampling (DDPM) and its implicit form (DDIM) over a schedule,
// usually a spaced one.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "model/diffusion/denoiser.h"
#include "model/diffusion/sample_noise.h"
#include "model/diffusion/schedule.h"

namespace edt {

enum class SamplerKind { kDdpm, kDdim };

// "ddpm" or "ddim"; throws UsageError otherwise.
SamplerKind parse_sampler_kind(std::string_view name);
std::string_view name_of(SamplerKind kind);

struct SamplerConfig {
  SamplerKind kind = SamplerKind::kDdpm;
  double eta = 0;              // DDIM: 0 is deterministic, 1 as noisy as DDPM's smallest variance
  bool clip_denoised = false;  // clip the predicted x_0 to [-1, 1]
};

// Called after each step with the number of steps done and their total.
using SamplingProgress = std::function<void(int done, int total)>;

class Sampler {
 public:
  // Throws UsageError for an eta outside [0, 1].
  Sampler(DiffusionSchedule schedule, const SamplerConfig& config);

  const DiffusionSchedule& schedule() const { return schedule_; }
  int steps() const { return schedule_.steps(); }

  // x [B, C, H, W], host float32: noise on entry, samples on return. `noise` gives the noise of
  // each step in which some is added.
  void run(const Denoiser& model, const StepNoise& noise, const Tensor& x,
           const SamplingProgress& progress = {}) const;

 private:
  bool is_noisy(int step) const;

  DiffusionSchedule schedule_;
  SamplerConfig config_;
};

}  // namespace edt
