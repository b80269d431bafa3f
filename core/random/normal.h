// Normal numbers with the same bits on every processor. Box-Muller needs log, sin and cos, whose
// last digits differ between libraries; here they are series in double, built from operations that
// IEEE 754 rounds in one way (fma, division, square root), accurate to about 1e-16.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "core/base/host_device.h"
#include "core/random/philox.h"

namespace edt::random {

// log(x) for positive normal x: x = m 2^e with m in [0.7, 1.42), log m = 2 atanh((m-1)/(m+1)).
EDT_HOST_DEVICE inline double exact_log(double x) {
  constexpr double kLog2 = 0x1.62e42fefa39efp-1;
  auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
  double m = std::bit_cast<double>(bits);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0), square = s * s;
  double series = 1.0 / 25.0;
  for (int k = 23; k >= 3; k -= 2) series = std::fma(series, square, 1.0 / k);
  const double twice = s + s;
  const double log_m = std::fma(twice * square, series, twice);
  return std::fma(static_cast<double>(exponent), kLog2, log_m);
}

struct CosSin {
  double cos, sin;
};

// Of (word + 0.5) / 2^32 turns. The octant is exact, so the series see angles up to pi/4 only.
EDT_HOST_DEVICE inline CosSin exact_turn(std::uint32_t word) {
  constexpr double kHalfPi = 0x1.921fb54442d18p+0;
  const std::uint32_t quadrant = word >> 30;
  double part = (static_cast<double>(word & 0x3fffffffu) + 0.5) * 0x1p-30;  // of the quadrant
  const bool upper = part > 0.5;
  if (upper) part = 1.0 - part;
  const double angle = part * kHalfPi, square = angle * angle;
  double c = -1.0 / 6402373705728000.0;  // -1/18!
  c = std::fma(c, square, 1.0 / 20922789888000.0);
  c = std::fma(c, square, -1.0 / 87178291200.0);
  c = std::fma(c, square, 1.0 / 479001600.0);
  c = std::fma(c, square, -1.0 / 3628800.0);
  c = std::fma(c, square, 1.0 / 40320.0);
  c = std::fma(c, square, -1.0 / 720.0);
  c = std::fma(c, square, 1.0 / 24.0);
  c = std::fma(c, square, -0.5);
  c = std::fma(c, square, 1.0);
  double s = 1.0 / 355687428096000.0;  // 1/17!
  s = std::fma(s, square, -1.0 / 1307674368000.0);
  s = std::fma(s, square, 1.0 / 6227020800.0);
  s = std::fma(s, square, -1.0 / 39916800.0);
  s = std::fma(s, square, 1.0 / 362880.0);
  s = std::fma(s, square, -1.0 / 5040.0);
  s = std::fma(s, square, 1.0 / 120.0);
  s = std::fma(s, square, -1.0 / 6.0);
  s = std::fma(s * square, angle, angle);
  const double x = upper ? s : c, y = upper ? c : s;  // of the angle in the first quadrant
  switch (quadrant) {
    case 0:
      return {x, y};
    case 1:
      return {-y, x};
    case 2:
      return {-x, -y};
    default:
      return {y, -x};
  }
}

// Two normals from two words. (word + 0.5) / 2^32 lies inside (0, 1), so the logarithm is finite.
EDT_HOST_DEVICE inline std::array<float, 2> box_muller(std::uint32_t a, std::uint32_t b) {
  const double u = (static_cast<double>(a) + 0.5) * 0x1p-32;
  const double radius = std::sqrt(-2.0 * exact_log(u));
  const CosSin turn = exact_turn(b);
  return {static_cast<float>(radius * turn.cos), static_cast<float>(radius * turn.sin)};
}

// The four normals of one block of a stream.
EDT_HOST_DEVICE inline std::array<float, 4> normals_of(const Counter& words) {
  const auto low = box_muller(words[0], words[1]);
  const auto high = box_muller(words[2], words[3]);
  return {low[0], low[1], high[0], high[1]};
}

}  // namespace edt::random
