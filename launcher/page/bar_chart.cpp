#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "launcher/page/svg.h"

namespace edt {
namespace {

bool can_draw(double value) { return Axis::can_draw(Scale::kLinear, value); }

bool has_error_bar(const Measured& bar) {
  return bar.low && bar.high && can_draw(*bar.low) && can_draw(*bar.high);
}

std::string tip(const BarSeries& series, const std::string& group, const Measured& bar) {
  std::string text = fmt::format("{}, {}: {}", group, series.name, tick_text(bar.value));
  if (has_error_bar(bar)) {
    text += fmt::format(" ({} to {})", tick_text(*bar.low), tick_text(*bar.high));
  }
  return text;
}

}  // namespace

std::string to_html(const BarChart& chart) {
  std::vector<double> values;
  std::size_t left_out = 0;
  for (const BarSeries& series : chart.series) {
    require(series.values.size() == chart.groups.size(), "page",
            "bars {} of \"{}\" have {} values, there are {} groups", series.name, chart.title,
            series.values.size(), chart.groups.size());
    for (const Measured& bar : series.values) {
      if (!can_draw(bar.value)) {
        ++left_out;
        continue;
      }
      values.push_back(bar.value);
      if (has_error_bar(bar)) values.insert(values.end(), {*bar.low, *bar.high});
    }
  }
  const Axis y_axis(Scale::kLinear, values, true);
  SvgPlot plot;
  plot.y_axis(y_axis, chart.y_label);
  const double group_width = 1 / static_cast<double>(std::max<std::size_t>(chart.groups.size(), 1));
  const double bar_width = std::min(
      0.8 * group_width / static_cast<double>(std::max<std::size_t>(chart.series.size(), 1)), 0.12);
  const double zero = plot.y(y_axis.position(0));
  std::vector<std::pair<std::string, std::string>> legend;
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    const BarSeries& series = chart.series[s];
    const std::string classes = colour_class(s, false);
    legend.emplace_back(classes, series.name);
    for (std::size_t g = 0; g < series.values.size(); ++g) {
      const Measured& bar = series.values[g];
      if (!can_draw(bar.value)) continue;
      const double centre =
          (static_cast<double>(g) + 0.5) * group_width +
          (static_cast<double>(s) + 0.5 - static_cast<double>(chart.series.size()) / 2) * bar_width;
      const double left = plot.x(centre - bar_width / 2) + 1;
      const double right = plot.x(centre + bar_width / 2) - 1;
      const double end = plot.y(y_axis.position(bar.value));
      plot.bar(left, std::min(end, zero), std::max(right - left, 1.0), std::abs(end - zero),
               classes, tip(series, chart.groups[g], bar));
      if (has_error_bar(bar)) {
        plot.error_bar((left + right) / 2, y_axis.position(*bar.low), y_axis.position(*bar.high),
                       "error over");
      }
    }
  }
  plot.x_names(chart.groups);
  return plot.figure(chart.title, legend, chart.caption, left_out);
}

}  // namespace edt
