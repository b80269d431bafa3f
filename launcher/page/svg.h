// The frame that all charts share: a plot area with axes, a legend, a caption.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/page/axis.h"

namespace edt {

class SvgPlot {
 public:
  static constexpr double kWidth = 720, kHeight = 380;
  static constexpr double kLeft = 72, kRight = 28, kTop = 16, kBottom = 52;

  double x(double share) const { return kLeft + share * (kWidth - kLeft - kRight); }
  double y(double share) const { return kHeight - kBottom - share * (kHeight - kTop - kBottom); }

  void y_axis(const Axis& axis, std::string_view label);
  void x_axis(const Axis& axis, std::string_view label);
  // Names below equal parts of the x axis.
  void x_names(const std::vector<std::string>& names);

  void line(double x1, double y1, double x2, double y2, std::string_view classes);
  void path(const std::vector<std::pair<double, double>>& points, std::string_view classes);
  void circle(double cx, double cy, std::string_view classes, std::string_view tip);
  void bar(double left, double top, double width, double height, std::string_view classes,
           std::string_view tip);
  // A vertical error bar with caps, between plot heights `low` and `high` (0 to 1).
  void error_bar(double at, double low, double high, std::string_view classes);

  // Entries are (class of the colour, name); one alone needs no legend.
  std::string figure(std::string_view title,
                     const std::vector<std::pair<std::string, std::string>>& legend,
                     std::string_view caption, std::size_t left_out) const;

 private:
  void text(double at_x, double at_y, std::string_view classes, std::string_view content);

  std::string body_;
};

// Class of the n-th colour; references have one of their own.
std::string colour_class(std::size_t series, bool reference);

}  // namespace edt
