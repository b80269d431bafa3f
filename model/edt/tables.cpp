#include "model/edt/tables.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edt {

std::vector<float> modulation_matrix(std::int64_t grid, AmmForm form) {
  // A grid of one token has the distance 0 only, and no period.
  const double period =
      4.0 * static_cast<double>(std::max<std::int64_t>(grid - 1, 1)) * std::numbers::sqrt2;
  // Squared distances are integers, so the cut at the radius is exact.
  const std::int64_t radius_squared = (grid - 1) * (grid - 1) + 4;
  const std::int64_t tokens = grid * grid;
  std::vector<float> matrix(static_cast<std::size_t>(tokens * tokens));
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t j = 0; j < tokens; ++j) {
      const std::int64_t rows = i / grid - j / grid, columns = i % grid - j % grid;
      const std::int64_t squared = rows * rows + columns * columns;
      if (squared > radius_squared) continue;
      const double distance = std::sqrt(static_cast<double>(squared));
      const double wave = std::cos(2 * std::numbers::pi / period * distance);
      matrix[static_cast<std::size_t>(i * tokens + j)] =
          static_cast<float>(form == AmmForm::kExp ? std::exp(wave) / 2 : 1.3 * wave);
    }
  }
  return matrix;
}

}  // namespace edt
