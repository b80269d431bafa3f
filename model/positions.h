// Positions of tokens on a grid.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops/token_grid.h"

namespace edt {

// What a place is told by: its row and its column, or, of a sequence, its column alone.
enum class PositionForm { kGrid, kSequence };

// Of a grid two-dimensional sin-cos positions [tokens, width] (He et al., arXiv 2111.06377): the
// first half encodes the column, the second half the row, each as sines then cosines. Of a sequence
// all of it encodes the place. Neighbours are `distance` apart.
std::vector<float> sincos_positions(std::int64_t width, const TokenGrid& grid,
                                    PositionForm form = PositionForm::kGrid, double distance = 1);

// Cosine and sine by turns, [rows * columns, size] (RoPE, Su et al., arXiv 2104.09864): pair i of a
// head of `size` elements turns by place * 10000^(-4i / size), its first half by the token's row,
// its second half, which counts i from 0 again, by its column. Of a sequence pair i turns by
// place * 10000^(-2i / size). `size` is a multiple of 4.
std::vector<float> rotary_positions(std::int64_t size, const TokenGrid& grid,
                                    PositionForm form = PositionForm::kGrid);

}  // namespace edt
