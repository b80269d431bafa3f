#include "data/import/half_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace edt::data {

std::string lost_in_float16(std::span<const float> values) {
  constexpr float kFirstInfinite = 65520;  // halfway to the next float16 there would be
  constexpr float kLastZero = 0x1p-25F;    // halfway to the first one above zero
  const auto smaller = [](float a, float b) { return std::abs(a) < std::abs(b); };
  const auto largest = std::ranges::max_element(values, smaller);
  if (largest == values.end() || *largest == 0) return {};
  if (std::abs(*largest) >= kFirstInfinite) {
    return fmt::format("{} is beyond the range of float16", *largest);
  }
  if (std::abs(*largest) > kLastZero) return {};
  return fmt::format("{} is the largest value, and float16 would hold all of them as zero",
                     *largest);
}

}  // namespace edt::data
