#include "model/positions.h"

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
  const std::int64_t frequencies = width / (along ? 2 : 4);
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(grid.tokens() * width));
  const auto encode = [&](std::int64_t at) {
    const double place = static_cast<double>(at) * distance;
    for (std::int64_t k = 0; k < frequencies; ++k) {
      table.push_back(static_cast<float>(std::sin(angle_of(place, k, frequencies))));
    }
    for (std::int64_t k = 0; k < frequencies; ++k) {
      table.push_back(static_cast<float>(std::cos(angle_of(place, k, frequencies))));
    }
  };
  for_each_place(grid, [&](std::int64_t row, std::int64_t column) {
    encode(column);
    if (!along) encode(row);
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
