#include "launcher/page/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace edt {
namespace {

// 1, 2 or 5 times a power of ten, so that about `count` steps fit.
double round_step(double span, int count) {
  const double raw = span / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power * (1 + 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

bool Axis::can_draw(Scale scale, double value) {
  constexpr double kLargest = 1e100;  // beyond it the arithmetic of an axis is not safe
  if (!std::isfinite(value) || std::abs(value) > kLargest) return false;
  return scale == Scale::kLinear || value > 1 / kLargest;
}

Axis::Axis(Scale scale, const std::vector<double>& values, bool from_zero) : scale_(scale) {
  if (values.empty()) {
    if (scale == Scale::kLinear) cover_linear(0, 1);
    if (scale == Scale::kLog2) cover_log2(1, 2);
    if (scale == Scale::kLog10) cover_log10(1, 10);
    return;
  }
  double low = *std::ranges::min_element(values), high = *std::ranges::max_element(values);
  if (scale == Scale::kLog2) {
    cover_log2(low, high);
    return;
  }
  if (scale == Scale::kLog10) {
    cover_log10(low, high);
    return;
  }
  if (from_zero) {
    low = std::min(low, 0.0);
    high = std::max(high, 0.0);
  }
  cover_linear(low, high);
}

void Axis::cover_linear(double low, double high) {
  if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) {  // one value
    const double margin = low == 0 ? 1 : std::abs(low) / 2;
    low -= margin;
    high += margin;
  }
  const double step = round_step(high - low, 6);
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  low_ = first * step;
  high_ = last * step;
  const int count = static_cast<int>(last - first);
  for (int i = 0; i <= count; ++i) ticks_.push_back((first + i) * step);
}

void Axis::cover_log2(double low, double high) {
  double first = std::floor(std::log2(low) + 1e-9), last = std::ceil(std::log2(high) - 1e-9);
  if (last <= first) last = first + 1;
  const double every = std::ceil((last - first) / 12);  // powers of two between ticks
  low_ = std::exp2(first);
  high_ = std::exp2(last);
  const int count = static_cast<int>((last - first) / every);
  for (int i = 0; i <= count; ++i) ticks_.push_back(std::exp2(first + i * every));
}

// Bounds at 1, 2 or 5 times a power of ten; ticks there as well, or at powers alone where there are
// many.
void Axis::cover_log10(double low, double high) {
  const auto rounded = [](double value, bool up) {
    const double power = std::pow(10, std::floor(std::log10(value) + 1e-9));
    constexpr double kSlack = 1e-9;
    double below = power;
    for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
      if (up && factor * power >= value * (1 - kSlack)) return factor * power;
      if (!up && factor * power <= value * (1 + kSlack)) below = factor * power;
    }
    return below;
  };
  low_ = rounded(low, false);
  high_ = rounded(high, true);
  if (high_ <= low_ * (1 + 1e-9)) {
    low_ = rounded(low_ * 0.9, false);
    high_ = rounded(high_ * 1.1, true);
  }
  const double decades = std::log10(high_ / low_), first = std::floor(std::log10(low_) + 1e-9);
  const double every = std::max(std::ceil(decades / 12), 1.0);
  const int count = static_cast<int>((decades + 1) / every);
  for (int i = 0; i <= count; ++i) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10, first + i * every);
      if (factor > 1 && decades > 4) break;
      if (tick >= low_ * (1 - 1e-9) && tick <= high_ * (1 + 1e-9)) ticks_.push_back(tick);
    }
  }
}

double Axis::position(double value) const {
  if (scale_ == Scale::kLinear) return (value - low_) / (high_ - low_);
  return std::log2(value / low_) / std::log2(high_ / low_);
}

std::string tick_text(double value) {
  if (value == 0) return "0";  // never -0
  const double size = std::abs(value);
  if (size >= 1e7 || size < 1e-4) return fmt::format("{:.3g}", value);
  if (value == std::round(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.4g}", value);
}

}  // namespace edt
