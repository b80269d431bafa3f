// Positions of tokens on a grid.
#pragma once

#include <cstdint>
#include <vector>

namespace edt {

// Two-dimensional sin-cos positions [rows * columns, width] (He et al., arXiv 2111.06377): the
// first half encodes the column, the second half the row, each as sines then cosines.
std::vector<float> sincos_positions(std::int64_t width, std::int64_t rows, std::int64_t columns);
inline std::vector<float> sincos_positions(std::int64_t width, std::int64_t grid) {
  return sincos_positions(width, grid, grid);
}

}  // namespace edt
