// The noise schedule: what each timestep does to a picture, and the coefficients that follow.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace edt {

// One timestep; notation of Ho et al., arXiv 2006.11239.
struct DiffusionStep {
  int timestep = 0;  // number of this step in the original schedule: what the model is told
  double beta = 0;
  double alpha_bar = 0;       // product of (1 - beta) up to this step
  double alpha_bar_prev = 1;  // the same without this step
  // x_0 = sqrt_recip * x_t - sqrt_recip_m1 * noise
  double sqrt_recip_alpha_bar = 0, sqrt_recip_m1_alpha_bar = 0;
  // Mean of q(x_{t-1} | x_t, x_0) = mean1 * x_0 + mean2 * x_t
  double posterior_mean1 = 0, posterior_mean2 = 0;
  // log of its variance; at the first step, where that is zero, the value of the second.
  double posterior_log_variance = 0;
  double log_beta = 0;
};

class DiffusionSchedule {
 public:
  // 1000 betas, linear from 1e-4 to 0.02.
  DiffusionSchedule();

  // The schedule that keeps only the given timesteps (ascending): its betas give the same alpha_bar
  // at these (Nichol and Dhariwal, arXiv 2102.09672, section 4).
  DiffusionSchedule spaced(std::span<const int> timesteps) const;

  int steps() const { return static_cast<int>(steps_.size()); }
  const DiffusionStep& operator[](int step) const;

  // weight = min(snr, gamma) / snr with snr = alpha_bar / (1 - alpha_bar) (Hang et al., arXiv
  // 2303.09556, for predicted noise); gamma 0: 1.
  double snr_weight(int step, double gamma) const;

  // For DiffusionKernels::diffusion_loss_*: rows of LossCoefficient::kCount, with the bound.
  void loss_coefficients(std::span<const std::int32_t> steps, double snr_gamma,
                         std::span<float> out) const;

 private:
  DiffusionSchedule(std::span<const double> betas, std::span<const int> timesteps);

  std::vector<DiffusionStep> steps_;
};

}  // namespace edt
