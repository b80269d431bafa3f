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

ExactLineWeights exact_line_weights(std::int64_t in, std::int64_t out, Filter filter,
                                    std::int64_t from, int count) {
  const Kernel kernel = kernel_of(filter);
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double spread = std::max(scale, 1.0);  // a smaller picture is averaged
  const double support = kernel.support * spread, inverse = 1 / spread;
  ExactLineWeights line;
  line.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  line.weight.resize(static_cast<std::size_t>(count) * static_cast<std::size_t>(line.taps));
  for (int i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(from + i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(centre + support + 0.5), in);
    const int taps = static_cast<int>(end - first);
    double* weight = line.weight.data() + static_cast<std::ptrdiff_t>(i) * line.taps;
    double sum = 0;
    for (int t = 0; t < taps; ++t) {
      const double place = static_cast<double>(t + first) - centre + 0.5;
      weight[t] = kernel.value(place * inverse);
      sum += weight[t];
    }
    for (int t = 0; t < taps && sum != 0; ++t) weight[t] = weight[t] / sum;
    line.first.push_back(first);
    line.count.push_back(taps);
  }
  return line;
}

LineWeights line_weights(std::int64_t in, std::int64_t out, Filter filter, std::int64_t from,
                         int count) {
  ExactLineWeights exact = exact_line_weights(in, out, filter, from, count);
  LineWeights line{exact.taps, std::move(exact.first), std::move(exact.count), {}};
  line.weight.resize(exact.weight.size());
  for (std::size_t i = 0; i < line.first.size(); ++i) {
    const std::size_t begin = i * static_cast<std::size_t>(line.taps);
    for (std::size_t t = begin; t < begin + static_cast<std::size_t>(line.count[i]); ++t) {
      line.weight[t] = fixed_point(exact.weight[t]);
    }
  }
  return line;
}

}  // namespace edt
