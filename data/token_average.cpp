#include "data/token_average.h"

#include <algorithm>

#include "core/base/assert.h"

namespace edt::data {

void TokenAverage::operator()(std::span<const float> in, std::span<float> out) const {
  EDT_ASSERT(in.size() == elements_in() && out.size() == elements_out());
  std::fill(out.begin(), out.end(), 0.f);
  const std::uint64_t columns_out = columns / side;
  for (std::uint64_t row = 0; row < rows; ++row) {
    for (std::uint64_t column = 0; column < columns; ++column) {
      const float* from = in.data() + (row * columns + column) * dims;
      float* to = out.data() + (row / side * columns_out + column / side) * dims;
      for (std::uint64_t d = 0; d < dims; ++d) to[d] += from[d];
    }
  }
  const float share = 1.f / static_cast<float>(side * side);
  for (float& value : out) value *= share;
}

}  // namespace edt::data
