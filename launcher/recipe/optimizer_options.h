// The section [optimizer]: update rule, learning rate and moving averages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/optim/optimizer.h"
#include "core/optim/schedule.h"
#include "core/options/options.h"

namespace edt {

enum class OptimizerKind { kAdan, kAdamW };

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdan;
  std::optional<std::vector<double>> betas;
  double eps = 1e-8;
  double weight_decay = 0;
  bool no_prox = false;
  double ema_decay = 0.9999;
  std::vector<double> power_averages;  // their lengths
  LearningRateConfig rate{.kind = ScheduleKind::kLinear,
                          .initial = 1e-3,
                          .final = 5e-5,
                          .decay_steps = 400000,
                          .warmup_steps = 0};

  void declare(OptionSet& options);
  // Of it, the averages that are kept besides.
  void declare_averages(OptionSet& options);
  OptimizerConfig resolve() const;
  // UsageError where two of the averages are one.
  void check_averages() const;
  // A line where so few steps leave the moving average, which is what is sampled from, more than a
  // tenth the weights that they begin with; empty else.
  std::string remark_on_average(std::int64_t steps) const;
};

}  // namespace edt
