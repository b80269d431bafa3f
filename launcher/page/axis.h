// The scale of one axis: which values it covers, where they lie, which are written beside it.
#pragma once

#include <string>
#include <vector>

#include "launcher/page/chart.h"

namespace edt {

class Axis {
 public:
  // Covers `values` (all of them can be drawn) with round bounds; `from_zero` includes zero on a
  // linear axis. No values: 0 to 1, or 1 to 2.
  Axis(Scale scale, const std::vector<double>& values, bool from_zero);

  static bool can_draw(Scale scale, double value);

  // 0 at the lower end, 1 at the upper.
  double position(double value) const;
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  void cover_linear(double low, double high);
  void cover_log2(double low, double high);
  void cover_log10(double low, double high);

  Scale scale_;
  double low_ = 0, high_ = 1;
  std::vector<double> ticks_;
};

// "0.25", "1500", "2.1e+07": the shortest that tells ticks apart.
std::string tick_text(double value);

}  // namespace edt
