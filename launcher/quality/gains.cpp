#include "launcher/quality/gains.h"

namespace edt {

std::vector<AdditionGain> addition_gains(const QualityReport& report) {
  std::vector<AdditionGain> gains;
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    const auto base = arm_named(report, report.arms[arm].base);
    if (!base || runs_of(report, arm).empty()) continue;
    for (const Figure figure : {Figure::kHeldOut, Figure::kLatentDistance, Figure::kFid}) {
      const auto level = common_level(report, arm, *base, figure);
      if (!level) continue;
      const auto along = [&](CostAxis axis) {
        return reach(report, arm, *base, figure, axis, *level);
      };
      gains.push_back({arm, *base, figure, *level, along(CostAxis::kImages),
                       along(CostAxis::kSeconds), along(CostAxis::kFlops)});
    }
  }
  return gains;
}

std::string_view gain_name(const std::optional<Spread>& ratio) {
  if (!ratio) return "not there yet";
  if (ratio->count < 2) return "one seed";
  if (ratio->low > 1) return "gained";
  return ratio->high < 1 && !ratio->is_bound ? "lost" : "within seeds";
}

}  // namespace edt
