#include "launcher/watch/watch_charts.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/text/report.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

using Value = double MetricsRecord::*;
using Points = std::vector<std::pair<double, double>>;

constexpr std::size_t kFewSteps = 50;  // as many are drawn as they are

std::vector<LinePoint> line_points(const Points& points, double unit = 1) {
  std::vector<LinePoint> line;
  for (const auto& [step, value] : points) line.push_back({step, {value / unit}});
  return line;
}

// The smoothed curve, and behind it the extremes of the raw one.
void add_curve(LineChart& chart, const std::string& name, const Curve& curve, std::size_t colour,
               double unit = 1) {
  if (curve.empty()) return;
  const bool few = curve.buckets().size() < kFewSteps;
  if (!few) {
    chart.series.push_back({.name = name,
                            .points = line_points(curve.extremes(), unit),
                            .faint = true,
                            .colour = colour});
  }
  chart.series.push_back({.name = name,
                          .points = line_points(curve.smoothed(), unit),
                          .marks = curve.buckets().size() == 1,
                          .colour = colour});
}

bool needs_log_scale(const LineChart& chart) {
  constexpr double kFrom = 5;
  double low = 0, high = 0;
  for (const LineSeries& series : chart.series) {
    for (const LinePoint& point : series.points) {
      if (point.y.value <= 0) return false;
      low = low == 0 ? point.y.value : std::min(low, point.y.value);
      high = std::max(high, point.y.value);
    }
  }
  return low > 0 && high > kFrom * low;
}

// How the curves are drawn; said once, below the first chart.
std::string drawing_text(const RunViews& runs) {
  std::int64_t most = 0;
  for (const auto& run : runs) {
    const auto buckets = run->metrics().curve(&MetricsRecord::loss).buckets();
    if (buckets.size() < kFewSteps) continue;
    for (const Curve::Bucket& bucket : buckets) most = std::max(most, bucket.count);
  }
  if (most == 0) return "";
  std::string text = "Bold: smoothed. Thin: the values themselves";
  if (most > 1) text += fmt::format(", the lowest and the highest of every {} steps", most);
  return text + ".";
}

std::string missing_text(const RunViews& runs, Value value) {
  std::int64_t missing = 0;
  for (const auto& run : runs) missing += run->metrics().curve(value).not_finite();
  return missing > 0 ? fmt::format(" Not finite: {} values.", missing) : "";
}

// Steps that were faster than the ceiling, which was taken while the machine was slower.
std::string outdated_text(const RunViews& runs) {
  const bool any = std::ranges::any_of(runs, [](const auto& run) {
    const Points extremes = run->metrics().curve(&MetricsRecord::ceiling_ratio).extremes();
    return std::ranges::any_of(extremes, [](const auto& point) { return point.second > 1; });
  });
  return any ? fmt::format(" {}.", kShareNote) : "";
}

struct Quantity {
  const char* title;
  Value value;
  const char* unit_name = "";
  double unit = 1;
  bool from_zero = false;
};

LineChart value_chart(const RunViews& runs, const Quantity& kind) {
  LineChart chart{.title = kind.title,
                  .x_label = "step",
                  .y_label = kind.unit_name,
                  .caption = missing_text(runs, kind.value),
                  .y_from_zero = kind.from_zero};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    add_curve(chart, runs[i]->name(), runs[i]->metrics().curve(kind.value), i, kind.unit);
  }
  if (!kind.from_zero && needs_log_scale(chart)) chart.y_scale = Scale::kLog10;
  return chart;
}

// From near the beginning to the step that is forecast.
void add_forecast(LineChart& chart, const RunView& run) {
  if (!run.forecast() || !run.forecast()->is_sound() || chart.series.empty()) return;
  const LossForecast& forecast = *run.forecast();
  constexpr int kPoints = 100;
  LineSeries series{.name = "power law", .dashed = true};
  const auto last = static_cast<double>(forecast.step);
  const double first = std::max(0.05 * static_cast<double>(run.step()), 1.0);
  for (int i = 0; i <= kPoints; ++i) {
    const double step = first + (last - first) * i / kPoints;
    series.points.push_back({step, {forecast.law(step)}});
  }
  series.points.back().y = {forecast.loss, forecast.low, forecast.high};
  chart.series.push_back(std::move(series));
}

// Both losses of one run in one chart.
LineChart loss_chart(const RunViews& runs) {
  LineChart chart = value_chart(runs, {"Loss", &MetricsRecord::loss});
  chart.caption = drawing_text(runs) + chart.caption;
  if (runs.size() > 1 || chart.series.empty()) return chart;
  for (LineSeries& series : chart.series) series.name = "all tokens";
  add_forecast(chart, *runs.front());
  add_curve(chart, "masked pass", runs.front()->metrics().curve(&MetricsRecord::masked_loss), 1);
  chart.y_scale = needs_log_scale(chart) ? Scale::kLog10 : Scale::kLinear;
  return chart;
}

// Of one run beside the same of samples that it is trained on.
LineChart held_out_chart(const RunViews& runs) {
  LineChart chart = value_chart(runs, {"Loss of held-out samples", &MetricsRecord::held_out_loss});
  if (runs.size() > 1 || chart.series.empty()) return chart;
  for (LineSeries& series : chart.series) series.name = "held out";
  add_curve(chart, "trained on",
            runs.front()->metrics().curve(&MetricsRecord::held_out_trained_loss), 1);
  chart.y_scale = needs_log_scale(chart) ? Scale::kLog10 : Scale::kLinear;
  return chart;
}

LineChart share_chart(const RunView& run) {
  LineChart chart{.title = "Where the time goes", .x_label = "step", .y_label = "% of a step"};
  const auto& shares = run.metrics().share_curves();
  for (std::size_t i = 0; i < shares.size(); ++i) {
    Points points = shares[i].second.smoothed();
    for (auto& point : points) point.second *= 100;
    chart.series.push_back({.name = shares[i].first,
                            .points = line_points(points),
                            .marks = points.size() == 1,
                            .colour = i});
  }
  return chart;
}

LineChart beside_chart(const RunViews& runs, const std::string& term) {
  std::string title = beside_title(term);
  title.front() = 'L';
  LineChart chart{.title = title, .x_label = "step"};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const auto& [name, curve] : runs[i]->metrics().beside_curves()) {
      if (name == term) add_curve(chart, runs[i]->name(), curve, i);
    }
  }
  return chart;
}

}  // namespace

std::vector<LineChart> charts_of(const RunViews& runs) {
  std::vector<LineChart> charts{loss_chart(runs)};
  const auto add = [&](const Quantity& kind) { charts.push_back(value_chart(runs, kind)); };
  const bool ceiling = std::ranges::all_of(runs, [](const auto& run) {
    return !run->metrics().curve(&MetricsRecord::ceiling_ratio).empty();
  });
  if (runs.size() > 1) add({"Loss of the masked pass", &MetricsRecord::masked_loss});
  for (const std::string& term : beside_terms(runs)) charts.push_back(beside_chart(runs, term));
  charts.push_back(held_out_chart(runs));
  add({"FID of samples", &MetricsRecord::fid});
  add({"Latent Frechet distance of samples", &MetricsRecord::latent_frechet});
  add({"Precision of samples", &MetricsRecord::precision, "", 1, true});
  add({"Recall of samples", &MetricsRecord::recall, "", 1, true});
  add({"Gradient norm", &MetricsRecord::grad_norm});
  add({"Images per second", &MetricsRecord::images_per_s, "", 1, true});
  if (ceiling) {
    add({"Share of the matrix-product ceiling", &MetricsRecord::ceiling_ratio, "", 1, true});
    charts.back().caption += outdated_text(runs);
  } else {
    add({"Model FLOPs per second", &MetricsRecord::flops_per_s, "GFLOP/s", 1e9, true});
  }
  add({"Learning rate", &MetricsRecord::lr});
  if (runs.size() == 1) charts.push_back(share_chart(*runs.front()));
  std::erase_if(charts, [](const LineChart& chart) { return chart.series.empty(); });
  return charts;
}

}  // namespace edt
