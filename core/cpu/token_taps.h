// Which tokens a 3 x 3 kernel reads, and which read a token, on a grid.
#pragma once

#include <array>

#include "core/ops/token_convolution.h"

namespace edt {

// Tokens that the nine places of a kernel read from, or are read by; -1: outside of the grid.
using TapTokens = std::array<std::int64_t, kTaps>;

inline TapTokens tokens_read(const TokenGrid& grid, std::int64_t stride, std::int64_t token) {
  const TokenGrid to = strided(grid, stride);
  TapTokens found;
  for (std::int64_t tap = 0; tap < kTaps; ++tap) {
    const std::int64_t row = token / to.columns * stride + tap / 3 - 1;
    const std::int64_t column = token % to.columns * stride + tap % 3 - 1;
    const bool inside = row >= 0 && row < grid.rows && column >= 0 && column < grid.columns;
    found[static_cast<std::size_t>(tap)] = inside ? row * grid.columns + column : -1;
  }
  return found;
}

inline TapTokens tokens_that_read(const TokenGrid& grid, std::int64_t stride, std::int64_t token) {
  const TokenGrid to = strided(grid, stride);
  TapTokens found;
  for (std::int64_t tap = 0; tap < kTaps; ++tap) {
    const std::int64_t row = token / grid.columns + 1 - tap / 3;
    const std::int64_t column = token % grid.columns + 1 - tap % 3;
    const bool inside = row >= 0 && column >= 0 && row % stride == 0 && column % stride == 0 &&
                        row / stride < to.rows && column / stride < to.columns;
    found[static_cast<std::size_t>(tap)] =
        inside ? row / stride * to.columns + column / stride : -1;
  }
  return found;
}

// Elements of one sample.
struct TapRows {
  const void* from;
  std::int64_t channels, from_stride;  // of a token
  std::int64_t tap_stride;             // from one place of the kernel to the next
};

}  // namespace edt
