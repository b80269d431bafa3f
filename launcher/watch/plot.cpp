#include "launcher/watch/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

namespace edt {
namespace {

constexpr double kLogFrom = 5;
constexpr double kLabelled = 1e-3;  // three digits tell no smaller relative change

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void cover(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

// Mean of the points in each of `count` columns; nothing where there is none.
std::vector<std::optional<double>> by_column(const PlotCurve& curve, const Range& x, int count) {
  std::vector<double> sums(static_cast<std::size_t>(count)), counts(sums.size());
  for (const auto& [at, value] : curve.points) {
    const double share = x.high > x.low ? (at - x.low) / (x.high - x.low) : 0;
    const auto column = static_cast<std::size_t>(std::clamp(share * count, 0.0, count - 1.0));
    sums[column] += value;
    ++counts[column];
  }
  std::vector<std::optional<double>> means(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (counts[i] > 0) means[i] = sums[i] / counts[i];
  }
  return means;
}

class ValueScale {
 public:
  explicit ValueScale(Range range) : range_(range) {
    log_ = range.low > 0 && range.high / range.low > kLogFrom;
    if (range_.high - range_.low <= kLabelled * std::abs(range_.high)) {
      const double margin = range_.high == 0 ? 1 : std::abs(range_.high) / 10;
      range_.low -= margin;
      range_.high += margin;
    }
  }
  double share(double value) const {
    if (log_) return std::log(value / range_.low) / std::log(range_.high / range_.low);
    return (value - range_.low) / (range_.high - range_.low);
  }
  double at(double share) const {
    if (log_) return range_.low * std::pow(range_.high / range_.low, share);
    return range_.low + share * (range_.high - range_.low);
  }

 private:
  Range range_;
  bool log_;
};

std::string label(double value) { return fmt::format("{:.3g}", value); }

// Dots of one curve, in cells of 2 x 4.
class Dots {
 public:
  Dots(Canvas& canvas, const Area& area) : canvas_(canvas), area_(area) {}

  void vertical(int x, int from, int to) {
    for (int y = std::min(from, to); y <= std::max(from, to); ++y) dot(x, y);
  }

  void draw(Ink ink) const {
    for (const auto& [cell, bits] : bits_) {
      canvas_.put(area_.column + cell.first, area_.row + cell.second, 0x2800u + bits, ink);
    }
  }

 private:
  void dot(int x, int y) {
    constexpr unsigned kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    bits_[{x / 2, y / 4}] |= kBits[y % 4][x % 2];
  }

  Canvas& canvas_;
  Area area_;
  std::map<std::pair<int, int>, unsigned> bits_;
};

void draw_braille(Canvas& canvas, const Area& area, const PlotCurve& curve, const Range& x,
                  const ValueScale& scale) {
  Dots dots(canvas, area);
  const int height = area.rows * 4;
  const auto values = by_column(curve, x, area.columns * 2);
  std::optional<std::pair<int, int>> before;
  for (int column = 0; column < area.columns * 2; ++column) {
    const auto& value = values[static_cast<std::size_t>(column)];
    if (!value) continue;
    const int y = height - 1 - static_cast<int>(std::lround(scale.share(*value) * (height - 1)));
    if (before) {  // a line of dots to it, half of the way in each column
      const auto [x0, y0] = *before;
      int last = y0;
      for (int i = x0 + 1; i <= column; ++i) {
        const int next = y0 + (y - y0) * (i - x0) / (column - x0);
        dots.vertical(i, next == last ? next : next > last ? last + 1 : last - 1, next);
        last = next;
      }
    } else {
      dots.vertical(column, y, y);
    }
    before = {column, y};
  }
  dots.draw(curve.ink);
}

void draw_letters(Canvas& canvas, const Area& area, const PlotCurve& curve, const Range& x,
                  const ValueScale& scale) {
  const auto values = by_column(curve, x, area.columns);
  for (int column = 0; column < area.columns; ++column) {
    const auto& value = values[static_cast<std::size_t>(column)];
    if (!value) continue;
    const int y = static_cast<int>(std::lround(scale.share(*value) * (area.rows - 1)));
    canvas.put(area.column + column, area.row + area.rows - 1 - y,
               static_cast<unsigned char>(curve.letter), curve.ink);
  }
}

}  // namespace

void draw(Canvas& canvas, const Area& area, const Plot& plot) {
  const int after = canvas.text(area.column, area.row, plot.title, Ink::kBold, area.columns);
  if (!plot.value.empty()) {
    canvas.text(after + 2, area.row, plot.value, Ink::kPlain,
                std::max(area.column + area.columns - after - 2, 1));
  }
  Range x, y;
  for (const PlotCurve& curve : plot.curves) {
    for (const auto& point : curve.points) x.cover(point.first);
  }
  constexpr int kScale = 8;  // columns of the numbers at the left
  const Area inner{area.column + kScale, area.row + 1, area.columns - kScale, area.rows - 2};
  if (x.empty()) {
    canvas.text(area.column, area.row + 1, "no values yet", Ink::kMuted, area.columns);
    return;
  }
  if (inner.columns < 4 || inner.rows < 1) return;
  const bool letters = !canvas.look().unicode || (plot.curves.size() > 1 && !canvas.look().colours);
  for (const PlotCurve& curve : plot.curves) {
    for (const auto& value : by_column(curve, x, letters ? inner.columns : inner.columns * 2)) {
      if (value) y.cover(*value);
    }
  }
  if (plot.from_zero) {
    y.cover(0);
    y.cover(std::min(1.25 * y.high, plot.highest));
  }
  const ValueScale scale(y);
  const int middle = inner.rows / 2;
  for (const int row : {0, middle, inner.rows - 1}) {
    if (row == middle && inner.rows < 5) continue;
    const double share = inner.rows > 1 ? 1 - static_cast<double>(row) / (inner.rows - 1) : 1;
    canvas.text_right(inner.column - 1, inner.row + row, label(scale.at(share)), Ink::kMuted);
  }
  for (const PlotCurve& curve : plot.curves) {
    letters ? draw_letters(canvas, inner, curve, x, scale)
            : draw_braille(canvas, inner, curve, x, scale);
  }
  const int below = inner.row + inner.rows;
  canvas.text(inner.column, below, fmt::format("{:.0f}", x.low), Ink::kMuted);
  canvas.text_right(inner.column + inner.columns, below, fmt::format("step {:.0f}", x.high),
                    Ink::kMuted);
}

}  // namespace edt
