#include "launcher/quality/curves.h"

#include <algorithm>
#include <cmath>

namespace edt {
namespace {

// y at x on the line through two points in logarithms.
double between(double x, double x0, double y0, double x1, double y1) {
  if (x1 == x0) return y0;
  const double share = std::log(x / x0) / std::log(x1 / x0);
  return std::exp(std::log(y0) + share * std::log(y1 / y0));
}

}  // namespace

std::optional<double> value_of(Figure figure, const QualityPoint& point) {
  switch (figure) {
    case Figure::kHeldOut:
      return point.quality.held_out;
    case Figure::kLatentDistance:
      return point.quality.latent_distance;
    case Figure::kFid:
      return point.quality.fid;
  }
  return {};
}

double cost_of(CostAxis axis, const QualityPoint& point) {
  switch (axis) {
    case CostAxis::kSeconds:
      return point.cost.seconds;
    case CostAxis::kFlops:
      return point.cost.flops;
    case CostAxis::kImages:
      break;
  }
  return static_cast<double>(point.images);
}

QualityCurve curve_of(const QualityRun& run, Figure figure, CostAxis axis) {
  QualityCurve curve;
  for (const QualityPoint& point : run.points) {
    const auto value = value_of(figure, point);
    if (value && *value > 0 && std::isfinite(*value)) {
      curve.push_back({cost_of(axis, point), *value});
    }
  }
  return curve;
}

std::optional<double> value_at(const QualityCurve& curve, double cost) {
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].cost == cost) return curve[i].value;
    if (curve[i].cost < cost) continue;
    if (i == 0) return {};
    return between(cost, curve[i - 1].cost, curve[i - 1].value, curve[i].cost, curve[i].value);
  }
  return {};
}

std::optional<ReachedAt> cost_to_reach(const QualityCurve& curve, double value) {
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].value > value) continue;
    if (curve[i].value == value) return ReachedAt{curve[i].cost};
    if (i == 0) return ReachedAt{curve[0].cost, true};
    return ReachedAt{
        between(value, curve[i - 1].value, curve[i - 1].cost, curve[i].value, curve[i].cost)};
  }
  return {};
}

}  // namespace edt
