// The section [train]: what a step does, and when it is not to be trusted.
#pragma once

#include <cstdint>

#include "core/options/options.h"
#include "model/diffusion/time_sampler.h"
#include "model/model.h"
#include "model/training/denoising_loss.h"

namespace edt {

enum class OnNonFinite { kStop, kSkip, kRollBack };
enum class OnSpike { kLog, kSkip, kRollBack };

struct TrainOptions {
  std::int64_t steps = 400000;
  std::int64_t batch = 256;
  std::int64_t micro_batch = 0;  // 0: to be chosen (micro_batch.h)
  bool masked = true;
  bool shared_noise = false;
  double dual_time = 0;
  DenoisingLossConfig loss;
  TimeLaw times;
  std::vector<double> logit_normal{0, 1};  // mean and deviation
  Recompute recompute = Recompute::kNone;
  double clip = 0;
  OnNonFinite on_non_finite = OnNonFinite::kStop;
  double spike_threshold = 0;
  std::int64_t spike_window = 200;
  OnSpike on_spike = OnSpike::kLog;
  std::uint64_t seed = 0;

  void declare(OptionSet& options);
  // UsageError where they are no law.
  TimeLaw time_law() const;

 private:
  void declare_times(OptionSet& options);
};

}  // namespace edt
