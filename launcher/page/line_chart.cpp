#include <fmt/format.h>

#include "launcher/page/svg.h"

namespace edt {
namespace {

bool can_draw(const LineChart& chart, const LinePoint& point) {
  return Axis::can_draw(chart.x_scale, point.x) && Axis::can_draw(chart.y_scale, point.y.value);
}

bool has_error_bar(const LineChart& chart, const LinePoint& point) {
  return point.y.low && point.y.high && Axis::can_draw(chart.y_scale, *point.y.low) &&
         Axis::can_draw(chart.y_scale, *point.y.high);
}

std::string tip(const LineChart& chart, const LineSeries& series, const LinePoint& point) {
  std::string text =
      fmt::format("{}: {} at {}", series.name, tick_text(point.y.value), tick_text(point.x));
  if (has_error_bar(chart, point)) {
    text += fmt::format(" ({} to {})", tick_text(*point.y.low), tick_text(*point.y.high));
  }
  return text;
}

// A point that cannot be drawn breaks the line.
void draw(SvgPlot& plot, const LineChart& chart, const LineSeries& series, const Axis& x_axis,
          const Axis& y_axis, const std::string& classes) {
  std::vector<std::pair<double, double>> run;
  const auto end_run = [&] {
    if (run.size() > 1) plot.path(run, classes);
    run.clear();
  };
  for (const LinePoint& point : series.points) {
    if (!can_draw(chart, point)) {
      end_run();
      continue;
    }
    run.emplace_back(plot.x(x_axis.position(point.x)), plot.y(y_axis.position(point.y.value)));
  }
  end_run();
  if (series.dashed || series.faint || !series.marks) return;
  for (const LinePoint& point : series.points) {
    if (!can_draw(chart, point)) continue;
    const double x = plot.x(x_axis.position(point.x));
    if (has_error_bar(chart, point)) {
      plot.error_bar(x, y_axis.position(*point.y.low), y_axis.position(*point.y.high),
                     "error " + classes);
    }
    plot.circle(x, plot.y(y_axis.position(point.y.value)), classes, tip(chart, series, point));
  }
}

}  // namespace

std::string to_html(const LineChart& chart) {
  std::vector<double> xs, ys;
  std::size_t left_out = 0;
  for (const LineSeries& series : chart.series) {
    for (const LinePoint& point : series.points) {
      if (!can_draw(chart, point)) {
        ++left_out;
        continue;
      }
      xs.push_back(point.x);
      ys.push_back(point.y.value);
      if (!series.dashed && has_error_bar(chart, point)) {
        ys.insert(ys.end(), {*point.y.low, *point.y.high});
      }
    }
  }
  const Axis x_axis(chart.x_scale, xs, false), y_axis(chart.y_scale, ys, chart.y_from_zero);
  SvgPlot plot;
  plot.y_axis(y_axis, chart.y_label);
  plot.x_axis(x_axis, chart.x_label);
  std::vector<std::pair<std::string, std::string>> legend;
  std::size_t colour = 0;
  for (const LineSeries& series : chart.series) {
    std::string classes = colour_class(series.colour.value_or(colour), series.dashed);
    if (!series.dashed && !series.colour) ++colour;
    if (!series.faint) legend.emplace_back(classes, series.name);
    if (series.faint) classes += " faint";
    draw(plot, chart, series, x_axis, y_axis, classes);
  }
  return plot.figure(chart.title, legend, chart.caption, left_out);
}

}  // namespace edt
