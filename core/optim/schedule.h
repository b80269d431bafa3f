// The learning rate as a pure function of the step.
#pragma once

#include <cstdint>
#include <string_view>

namespace edt {

enum class ScheduleKind { kConstant, kLinear, kCosine };

// "constant", "linear" or "cosine"; throws UsageError otherwise.
ScheduleKind parse_schedule_kind(std::string_view name);
std::string_view name_of(ScheduleKind kind);

struct LearningRateConfig {
  ScheduleKind kind = ScheduleKind::kConstant;
  double initial = 1e-3;         // reached at the end of the warm-up
  double final = 5e-5;           // from decay_steps on; unused by kConstant
  std::int64_t decay_steps = 0;  // updates until `final`, warm-up included
  std::int64_t warmup_steps = 0;
};

// Throws UsageError when the rates are not positive and finite or the decay ends within the
// warm-up.
void validate(const LearningRateConfig& config);

// The rate of the update that follows `step` completed updates. During the warm-up
// initial * (step + 1) / warmup_steps; then with s the share of the decay that has passed:
//   linear: initial - (initial - final) * s     (EDT: 1e-3 to 5e-5 over 400k updates)
//   cosine: final + (initial - final) * (1 + cos(pi s)) / 2
double learning_rate(const LearningRateConfig& config, std::int64_t step);

}  // namespace edt
