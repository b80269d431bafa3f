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

// The lower one of the two in the middle: of two times the shorter one is the measure.
inline double lower_median(std::vector<double> values) {
  const auto middle = values.begin() + (std::ssize(values) - 1) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace edt
