// What a chart shows. Values that cannot be drawn (NaN, infinite, not positive on a log axis) are
// left out, and the caption says how many.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace edt {

enum class Scale { kLinear, kLog2, kLog10 };

// A value with its error bar.
struct Measured {
  double value = 0;
  std::optional<double> low, high;
};

struct LinePoint {
  double x = 0;
  Measured y;
};

struct LineSeries {
  std::string name;
  std::vector<LinePoint> points;
  bool dashed = false;  // a reference, such as the ideal: no marks, muted
  bool marks = true;    // a circle at each point; without, thousands of points are no burden
  bool faint = false;   // what lies behind a curve, such as the raw values: thin, in its colour
  // The n-th colour; otherwise the next one that no series before has taken.
  std::optional<std::size_t> colour;
};

struct LineChart {
  std::string title, x_label, y_label, caption;
  Scale x_scale = Scale::kLinear, y_scale = Scale::kLinear;
  std::vector<LineSeries> series;
  bool y_from_zero = true;  // a linear y axis includes zero
};

// One bar in each group.
struct BarSeries {
  std::string name;
  std::vector<Measured> values;  // one per group
};

struct BarChart {
  std::string title, y_label, caption;
  std::vector<std::string> groups;
  std::vector<BarSeries> series;
};

// The chart as an HTML figure with inline SVG. Throws Error where a series of bars has another
// number of values than there are groups.
std::string to_html(const LineChart& chart);
std::string to_html(const BarChart& chart);

}  // namespace edt
