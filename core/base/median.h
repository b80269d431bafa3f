// The middle of measurements.
#pragma once

#include <algorithm>
#include <vector>

namespace edt {

// Of one value or more; the mean of the two in the middle where their number is even.
inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

}  // namespace edt
