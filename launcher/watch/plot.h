// A line plot in character cells: Braille dots, two by four in a cell; letters where there are no
// colours to tell several curves apart, or no Unicode.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "launcher/watch/canvas.h"

namespace edt {

struct PlotCurve {
  std::vector<std::pair<double, double>> points;  // in the order of x
  Ink ink = Ink::kSeries0;
  char letter = '*';
};

struct Plot {
  std::string title;
  std::string value;  // beside the title: where the curve is now
  std::vector<PlotCurve> curves;
  bool from_zero = false;  // speeds and shares: small changes look small
  double highest = std::numeric_limits<double>::infinity();  // that values can have
};

struct Area {
  int column = 0, row = 0, columns = 0, rows = 0;
};

// Title, curves with the range of values at their left, and the range of x below. A logarithmic
// scale where positive values differ by more than a factor of five.
void draw(Canvas& canvas, const Area& area, const Plot& plot);

}  // namespace edt
