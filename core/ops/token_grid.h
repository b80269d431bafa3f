// The grid that the tokens of a picture stand on.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace edt {

// Tokens follow each other row by row.
struct TokenGrid {
  std::int64_t rows = 0, columns = 0;

  static TokenGrid square(std::int64_t side) { return {side, side}; }
  bool is_square() const { return rows == columns; }
  std::int64_t tokens() const { return rows * columns; }
  // How many distances, down and across, two tokens can have: rows of a relative-position table.
  std::int64_t distances() const { return (2 * rows - 1) * (2 * columns - 1); }
  bool operator==(const TokenGrid&) const = default;
};

inline std::string to_string(const TokenGrid& grid) {
  return fmt::format("{} x {}", grid.rows, grid.columns);
}

inline void check_grid(std::string_view op, const TokenGrid& grid, std::int64_t tokens) {
  require(grid.tokens() == tokens, op, "{} tokens do not form a grid of {}", tokens,
          to_string(grid));
}

// The smallest square grid with room for the tokens: where places on it are counted, but nothing is
// asked of them.
inline TokenGrid covering_grid(std::int64_t tokens) {
  return TokenGrid::square(
      static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(tokens)))));
}

}  // namespace edt
