#include "model/positions.h"

#include <algorithm>
#include <cmath>

#include "core/base/assert.h"

namespace edt {
namespace {

double angle_of(double place, std::int64_t k, std::int64_t frequencies) {
  return place * std::pow(10000.0, -static_cast<double>(k) / static_cast<double>(frequencies));
}

// f(row, column) in the order of tokens.
template <class F>
void for_each_place(const TokenGrid& grid, F f) {
  for (std::int64_t row = 0; row < grid.rows; ++row) {
    for (std::int64_t column = 0; column < grid.columns; ++column) f(row, column);
  }
}

}  // namespace

std::vector<float> sincos_positions(std::int64_t width, const TokenGrid& grid, PositionForm form,
                                    double distance) {
  const bool along = form == PositionForm::kSequence;
  EDT_ASSERT(!along || grid.rows == 1);
  const std::int64_t frequencies = width / (along ? 2 : 4), size = 2 * frequencies;
  const std::int64_t places = std::max(grid.rows, grid.columns);
  std::vector<float> encoded;  // of each place: rows and columns are told alike
  for (std::int64_t place = 0; place < places; ++place) {
    const auto angle = [&](std::int64_t k) {
      return angle_of(static_cast<double>(place) * distance, k, frequencies);
    };
    for (std::int64_t k = 0; k < frequencies; ++k) {
      encoded.push_back(static_cast<float>(std::sin(angle(k))));
    }
    for (std::int64_t k = 0; k < frequencies; ++k) {
      encoded.push_back(static_cast<float>(std::cos(angle(k))));
    }
  }
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(grid.tokens() * width));
  const auto append = [&](std::int64_t place) {
    const auto begin = encoded.begin() + place * size;
    table.insert(table.end(), begin, begin + size);
  };
  for_each_place(grid, [&](std::int64_t row, std::int64_t column) {
    append(column);
    if (!along) append(row);
  });
  return table;
}

std::vector<float> rotary_positions(std::int64_t size, const TokenGrid& grid, PositionForm form) {
  const bool along = form == PositionForm::kSequence;
  EDT_ASSERT(!along || grid.rows == 1);
  const std::int64_t pairs = size / (along ? 2 : 4);  // that turn by one place
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(grid.tokens() * size));
  const auto turn = [&](std::int64_t place) {
    for (std::int64_t i = 0; i < pairs; ++i) {
      const double angle = angle_of(place, i, pairs);
      table.push_back(static_cast<float>(std::cos(angle)));
      table.push_back(static_cast<float>(std::sin(angle)));
    }
  };
  for_each_place(grid, [&](std::int64_t row, std::int64_t column) {
    if (!along) turn(row);
    turn(column);
  });
  return table;
}

}  // namespace edt
