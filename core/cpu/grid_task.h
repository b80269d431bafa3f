// What the kernels of a convolution over the whole grid are told of their work.
#pragma once

#include "core/ops/token_grid.h"

namespace edt {

// Channels `first` ... of all samples, for one thread.
struct GridTask {
  TokenGrid grid;
  std::int64_t batch, channels, directions, first, width;
  bool backward = false, accumulate = false;
};

// Tokens of a row that are summed up at once. Zeros around the row let them reach over its ends.
constexpr std::int64_t kGridTile = 4;
inline std::int64_t padded_columns(const TokenGrid& grid) {
  return grid.columns + 2 * (kGridTile - 1);
}

}  // namespace edt
