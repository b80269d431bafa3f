// Compiled without fused multiply-adds, which round once where Pillow rounds twice.
#include "core/image/resample_weights.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edt {

namespace {

double box(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x = x * std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

struct Kernel {
  double (*value)(double);
  double support;
};

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return {box, 0.5};
    case Filter::kBicubic:
      return {bicubic, 2};
    case Filter::kLanczos:
      break;
  }
  return {lanczos, 3};
}

std::int32_t fixed_point(double weight) {
  constexpr double kOne = 1 << kWeightBits;
  return static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * kOne);
}

}  // namespace

LineWeights line_weights(std::int64_t in, std::int64_t out, Filter filter, std::int64_t from,
                         int count) {
  const Kernel kernel = kernel_of(filter);
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double spread = std::max(scale, 1.0);  // a smaller picture is averaged
  const double support = kernel.support * spread, inverse = 1 / spread;
  LineWeights line;
  line.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  line.weight.resize(static_cast<std::size_t>(count) * static_cast<std::size_t>(line.taps));
  std::vector<double> exact(static_cast<std::size_t>(line.taps));
  for (int i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(from + i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(centre + support + 0.5), in);
    const int taps = static_cast<int>(end - first);
    double sum = 0;
    for (int t = 0; t < taps; ++t) {
      const double place = static_cast<double>(t + first) - centre + 0.5;
      exact[static_cast<std::size_t>(t)] = kernel.value(place * inverse);
      sum += exact[static_cast<std::size_t>(t)];
    }
    std::int32_t* weight = line.weight.data() + static_cast<std::ptrdiff_t>(i) * line.taps;
    for (int t = 0; t < taps; ++t) {
      const double value = exact[static_cast<std::size_t>(t)];
      weight[t] = fixed_point(sum != 0 ? value / sum : value);
    }
    line.first.push_back(first);
    line.count.push_back(taps);
  }
  return line;
}

}  // namespace edt
