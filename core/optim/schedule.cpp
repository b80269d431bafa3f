#include "core/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/error.h"

namespace edt {

ScheduleKind parse_schedule_kind(std::string_view name) {
  for (auto kind : {ScheduleKind::kConstant, ScheduleKind::kLinear, ScheduleKind::kCosine}) {
    if (name == name_of(kind)) return kind;
  }
  fail<UsageError>("learning rate", "schedule is '{}', must be constant, linear or cosine", name);
}

std::string_view name_of(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kConstant:
      return "constant";
    case ScheduleKind::kLinear:
      return "linear";
    case ScheduleKind::kCosine:
      return "cosine";
  }
  return "?";
}

void validate(const LearningRateConfig& config) {
  constexpr std::string_view where = "learning rate";
  require<UsageError>(std::isfinite(config.initial) && config.initial > 0, where,
                      "initial rate is {}, must be positive", config.initial);
  require<UsageError>(config.warmup_steps >= 0, where, "warm-up is {} steps, must not be negative",
                      config.warmup_steps);
  if (config.kind == ScheduleKind::kConstant) return;
  require<UsageError>(std::isfinite(config.final) && config.final >= 0, where,
                      "final rate is {}, must not be negative", config.final);
  require<UsageError>(config.decay_steps > config.warmup_steps, where,
                      "decay-steps is {}, which lies within the warmup-steps {}",
                      config.decay_steps, config.warmup_steps);
}

double learning_rate(const LearningRateConfig& config, std::int64_t step) {
  if (step < config.warmup_steps) {
    return config.initial * static_cast<double>(step + 1) /
           static_cast<double>(config.warmup_steps);
  }
  if (config.kind == ScheduleKind::kConstant) return config.initial;
  const double passed = static_cast<double>(step - config.warmup_steps) /
                        static_cast<double>(config.decay_steps - config.warmup_steps);
  if (passed >= 1) return config.final;
  const double range = config.initial - config.final;
  if (config.kind == ScheduleKind::kLinear) return config.initial - range * passed;
  return config.final + range * (1 + std::cos(std::numbers::pi * passed)) / 2;
}

}  // namespace edt
