// The attention modulation matrix.
#pragma once

#include <cstdint>
#include <vector>

#include "model/edt/config.h"

namespace edt {

// The attention modulation matrix [T, T] of a token grid (EDT, arXiv 2410.23788):
// M = exp(cos(2 pi d / period)) / 2 with d the Euclidean grid distance and period 4 D, four times
// the diagonal D = sqrt((rows-1)^2 + (columns-1)^2); 0 where d exceeds sqrt(D^2 / 2 + 4). Published
// for square grids, for which these are 4 (grid-1) sqrt(2) and sqrt((grid-1)^2 + 4). The cosine
// form is 1.3 cos(2 pi d / period).
std::vector<float> modulation_matrix(const TokenGrid& grid, AmmForm form);

}  // namespace edt
