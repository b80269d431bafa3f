#include "model/edt/tables.h"

#include <cmath>
#include <numbers>

namespace edt {

std::vector<float> modulation_matrix(const TokenGrid& grid, AmmForm form) {
  const std::int64_t down = grid.rows - 1, across = grid.columns - 1;
  const std::int64_t diagonal_squared = down * down + across * across;
  // A grid of one token has the distance 0 only, and no period. The mean of the squares first: for
  // a square grid its root is exact.
  const double side =
      diagonal_squared == 0 ? 1 : std::sqrt(static_cast<double>(diagonal_squared) / 2);
  const double period = 4.0 * side * std::numbers::sqrt2;
  // Twice the squared distances are integers, so the cut at the radius is exact.
  const std::int64_t twice_radius_squared = diagonal_squared + 8;
  const std::int64_t tokens = grid.tokens();
  std::vector<float> matrix(static_cast<std::size_t>(tokens * tokens));
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t j = 0; j < tokens; ++j) {
      const std::int64_t rows = i / grid.columns - j / grid.columns;
      const std::int64_t columns = i % grid.columns - j % grid.columns;
      const std::int64_t squared = rows * rows + columns * columns;
      if (2 * squared > twice_radius_squared) continue;
      const double distance = std::sqrt(static_cast<double>(squared));
      const double wave = std::cos(2 * std::numbers::pi / period * distance);
      matrix[static_cast<std::size_t>(i * tokens + j)] =
          static_cast<float>(form == AmmForm::kExp ? std::exp(wave) / 2 : 1.3 * wave);
    }
  }
  return matrix;
}

}  // namespace edt
