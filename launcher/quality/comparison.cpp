#include "launcher/quality/comparison.h"

#include <algorithm>
#include <cmath>

namespace edt {
namespace {

const QualityRun* with_seed(const std::vector<const QualityRun*>& runs, std::int64_t seed) {
  const auto found =
      std::ranges::find_if(runs, [seed](const QualityRun* run) { return run->task.seed == seed; });
  return found == runs.end() ? nullptr : *found;
}

}  // namespace

std::vector<const QualityRun*> runs_of(const QualityReport& report, std::size_t arm) {
  std::vector<const QualityRun*> runs;
  for (const QualityRun& run : report.runs) {
    if (run.task.arm == arm) runs.push_back(&run);
  }
  return runs;
}

std::optional<std::size_t> arm_named(const QualityReport& report, std::string_view key) {
  const auto found = std::ranges::find(report.arms, key, &QualityArm::key);
  const auto arm = static_cast<std::size_t>(found - report.arms.begin());
  if (found == report.arms.end() || runs_of(report, arm).empty()) return {};
  return arm;
}

std::size_t base_arm(const QualityReport& report) {
  for (const char* key : {"mdtv2", "dit"}) {
    if (const auto arm = arm_named(report, key)) return *arm;
  }
  return 0;
}

double common_cost(const std::vector<const QualityRun*>& runs, CostAxis axis) {
  double least = INFINITY;
  for (const QualityRun* run : runs) least = std::min(least, cost_of(axis, run->points.back()));
  return least;
}

double common_cost(const QualityReport& report, CostAxis axis) {
  std::vector<const QualityRun*> all;
  for (const QualityRun& run : report.runs) all.push_back(&run);
  return common_cost(all, axis);
}

std::optional<Spread> at_cost(const std::vector<const QualityRun*>& runs, Figure figure,
                              CostAxis axis, double cost) {
  std::vector<double> values;
  for (const QualityRun* run : runs) {
    if (const auto value = value_at(curve_of(*run, figure, axis), cost)) values.push_back(*value);
  }
  return spread_of(std::move(values));
}

std::optional<Spread> at_end(const std::vector<const QualityRun*>& runs, Figure figure) {
  std::vector<double> values;
  for (const QualityRun* run : runs) {
    const QualityCurve curve = curve_of(*run, figure, CostAxis::kSeconds);
    if (!curve.empty()) values.push_back(curve.back().value);
  }
  return spread_of(std::move(values));
}

std::optional<double> level_of(const QualityReport& report, Figure figure) {
  const auto spread = at_end(runs_of(report, base_arm(report)), figure);
  return spread ? std::optional(spread->high) : std::nullopt;
}

std::optional<double> common_level(const QualityReport& report, std::size_t arm, std::size_t base,
                                   Figure figure) {
  const auto one = at_end(runs_of(report, arm), figure),
             other = at_end(runs_of(report, base), figure);
  return one && other ? std::optional(std::max(one->high, other->high)) : std::nullopt;
}

Reaching reach(const QualityReport& report, std::size_t arm, std::size_t base, Figure figure,
               CostAxis axis, double level) {
  std::vector<double> costs, ratios;
  bool costs_bound = false, ratios_bound = false;
  Reaching reaching;
  const auto bases = runs_of(report, base);
  for (const QualityRun* run : runs_of(report, arm)) {
    ++reaching.runs;
    const auto cost = cost_to_reach(curve_of(*run, figure, axis), level);
    if (!cost) continue;
    costs.push_back(cost->cost);
    costs_bound = costs_bound || cost->at_most;
    const QualityRun* other = with_seed(bases, run->task.seed);
    if (other == nullptr) continue;
    const auto own = cost_to_reach(curve_of(*other, figure, axis), level);
    if (!own || own->at_most) continue;
    ratios.push_back(own->cost / cost->cost);
    ratios_bound = ratios_bound || cost->at_most;
  }
  reaching.reached = costs.size();
  reaching.cost = spread_of(std::move(costs));
  reaching.ratio = spread_of(std::move(ratios));
  if (reaching.cost) reaching.cost->is_bound = costs_bound;
  if (reaching.ratio) reaching.ratio->is_bound = ratios_bound;
  return reaching;
}

double images_per_second(const QualityRun& run) {
  const QualityPoint& last = run.points.back();
  return static_cast<double>(last.images) / last.cost.seconds;
}

double uneven_speed(const QualityReport& report) {
  double most = 0;
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    std::vector<double> rates;
    for (const QualityRun* run : runs_of(report, arm)) rates.push_back(images_per_second(*run));
    if (const auto spread = spread_of(rates)) most = std::max(most, spread->high / spread->low - 1);
  }
  return most;
}

std::optional<Spread> speed_ratio(const std::vector<const QualityRun*>& runs,
                                  const std::vector<const QualityRun*>& others) {
  std::vector<double> ratios;
  for (const QualityRun* run : runs) {
    const QualityRun* other = with_seed(others, run->task.seed);
    if (other != nullptr) ratios.push_back(images_per_second(*run) / images_per_second(*other));
  }
  return spread_of(std::move(ratios));
}

}  // namespace edt
