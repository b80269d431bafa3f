#include "launcher/quality/training_cost.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "launcher/watch/followed_file.h"
#include "launcher/watch/metrics_record.h"

namespace edt {

TrainingCost training_cost(const std::filesystem::path& metrics) {
  constexpr std::array kOfTraining{"data", "compute", "communication", "optimizer"};
  TrainingCost cost;
  MetricsParser parser;
  MetricsRecord record;
  FollowedFile file(metrics);
  file.look([&](std::string_view line) {
    if (!parser.parse(line, record)) return;
    ++cost.steps;
    for (const auto& [name, share] : record.time_share) {
      if (std::ranges::find(kOfTraining, name) != kOfTraining.end()) {
        cost.seconds += share * record.step_seconds;
      }
    }
    cost.flops += std::round(record.flops_per_s * record.step_seconds);  // of a whole number
  });
  return cost;
}

std::int64_t steps_until(double spent, double limit, std::int64_t steps) {
  const double each = spent / static_cast<double>(steps);
  return std::max<std::int64_t>(1, std::llround((limit - spent) / each));
}

}  // namespace edt
