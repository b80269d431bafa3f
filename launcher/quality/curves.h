// Curves of quality over cost, and what two of them say about each other.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "launcher/quality/spread.h"
#include "launcher/quality/study.h"

namespace edt {

enum class Figure { kHeldOut, kLatentDistance, kFid };  // all of them: less is better
enum class CostAxis { kSeconds, kFlops, kImages };

// Nothing where it was not measured.
std::optional<double> value_of(Figure figure, const QualityPoint& point);
double cost_of(CostAxis axis, const QualityPoint& point);

struct CurvePoint {
  double cost = 0, value = 0;
};
using QualityCurve = std::vector<CurvePoint>;  // by cost

QualityCurve curve_of(const QualityRun& run, Figure figure, CostAxis axis);

// Between points, along straight lines of both logarithms. Nothing outside of them.
std::optional<double> value_at(const QualityCurve& curve, double cost);
// Where the curve first comes down to `value`; nothing where it does not.
struct ReachedAt {
  double cost = 0;
  bool at_most = false;  // it is below from its first point on, which is `cost`
};
std::optional<ReachedAt> cost_to_reach(const QualityCurve& curve, double value);

}  // namespace edt
