// The best plan for each of many numbers of ranks: how a training would scale, and what limits it.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "launcher/page/page.h"
#include "model/plan/search.h"
#include "model/plan/upkeep.h"

namespace edt {

struct ScaleRange {
  int first = 1, last = 1;
  std::int64_t weak_images = 32;  // of each rank, where the batch grows with the ranks
};
// "1..4096": powers of two times the first. Throws UsageError.
ScaleRange parse_scale_range(std::string_view text);

struct ScaledPlan {
  int ranks = 1;
  bool weak = false;
  std::int64_t batch = 0;
  std::optional<Prediction> best;
  std::string reason;            // where there is none
  double efficiency = 0;         // rate of a rank over that of a rank at the first number of ranks
  std::optional<Upkeep> upkeep;  // where the cluster says what fails
};

// Strong scaling with the step's batch, then weak scaling. `told` hears of each point.
std::vector<ScaledPlan> plan_scaling(const PlannedStep& step, const ScaleRange& range,
                                     const SearchSpace& space, const Cluster& cluster,
                                     const std::function<void(const ScaledPlan&)>& told);

std::string scaling_text(const std::vector<ScaledPlan>& plans, const Cluster& cluster);
std::string scaling_csv(const std::vector<ScaledPlan>& plans, const Cluster& cluster);
nlohmann::ordered_json scaling_json(const std::vector<ScaledPlan>& plans, const Cluster& cluster);
Page scaling_page(const std::vector<ScaledPlan>& plans, const Cluster& cluster);

}  // namespace edt
