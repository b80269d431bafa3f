#include "model/positions.h"

#include <cmath>

namespace edt {

std::vector<float> sincos_positions(std::int64_t width, const TokenGrid& grid, double distance) {
  const std::int64_t frequencies = width / 4;
  std::vector<float> table(static_cast<std::size_t>(grid.tokens() * width));
  auto encode = [&](double position, float* out) {
    for (std::int64_t k = 0; k < frequencies; ++k) {
      const double angle =
          position * std::pow(10000.0, -static_cast<double>(k) / static_cast<double>(frequencies));
      out[k] = static_cast<float>(std::sin(angle));
      out[frequencies + k] = static_cast<float>(std::cos(angle));
    }
  };
  for (std::int64_t row = 0; row < grid.rows; ++row) {
    for (std::int64_t column = 0; column < grid.columns; ++column) {
      float* out = table.data() + (row * grid.columns + column) * width;
      encode(static_cast<double>(column) * distance, out);
      encode(static_cast<double>(row) * distance, out + width / 2);
    }
  }
  return table;
}

std::vector<float> rotary_positions(std::int64_t size, const TokenGrid& grid) {
  const std::int64_t pairs = size / 4;  // of a half
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(grid.tokens() * size));
  const auto turn = [&](std::int64_t place) {
    for (std::int64_t i = 0; i < pairs; ++i) {
      const double angle = static_cast<double>(place) *
                           std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(pairs));
      table.push_back(static_cast<float>(std::cos(angle)));
      table.push_back(static_cast<float>(std::sin(angle)));
    }
  };
  for (std::int64_t row = 0; row < grid.rows; ++row) {
    for (std::int64_t column = 0; column < grid.columns; ++column) turn(row), turn(column);
  }
  return table;
}

}  // namespace edt
