// The attention modulation matrix.
#pragma once

#include <cstdint>
#include <vector>

#include "model/edt/config.h"

namespace edt {

// The attention modulation matrix [T, T] of a grid x grid token grid (EDT, arXiv 2410.23788):
// M = exp(cos(2 pi d / period)) / 2 with d the Euclidean grid distance and
// period 4 (grid-1) sqrt(2); 0 where d exceeds sqrt((grid-1)^2 + 4). The cosine form is
// 1.3 cos(2 pi d / period).
std::vector<float> modulation_matrix(std::int64_t grid, AmmForm form);

}  // namespace edt
