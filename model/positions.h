// Positions of tokens on a grid.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops/token_grid.h"

namespace edt {

// Two-dimensional sin-cos positions [tokens, width] (He et al., arXiv 2111.06377): the
// first half encodes the column, the second half the row, each as sines then cosines.
std::vector<float> sincos_positions(std::int64_t width, const TokenGrid& grid);

}  // namespace edt
