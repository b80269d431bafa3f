// The rows that the three variants of modulated norm normalise. A row of width W consists of 1
// (plain), 2 (concatenation) or 4 (2x2 merge) parts of W / parts elements, each a token of an
// input.
#pragma once

#include <cstdint>

#include "core/base/dtype.h"
#include "core/ops/modulated_norm.h"
#include "core/ops/token_grid.h"

namespace edt {

struct NormRows {
  static constexpr int kMaxParts = 4;

  int parts = 1;
  std::int64_t batch = 0, tokens = 0, width = 0;  // of the normalised rows
  TokenGrid grid;                                 // of the inputs of a merge
  const float* mask = nullptr;                    // of a merge: by input token
  float epsilon = static_cast<float>(kNormEpsilon);

  std::int64_t part_width() const { return width / parts; }

  // The input token that is part `p` of row `row`. Of a merge, quarters come in the order (row,
  // column) = (0,0), (1,0), (0,1), (1,1).
  std::int64_t token(std::int64_t row, int p) const {
    if (parts != 4) return row;
    const std::int64_t half = grid.columns / 2, b = row / tokens, t = row % tokens;
    const std::int64_t y = 2 * (t / half) + p % 2, x = 2 * (t % half) + p / 2;
    return (b * grid.rows + y) * grid.columns + x;
  }
  float keep(std::int64_t row, int p) const { return mask == nullptr ? 1.0f : mask[token(row, p)]; }
};

// Inputs of the parts: the same tensor for all of a merge, a and b of a concatenation.
struct NormInputs {
  void* data[NormRows::kMaxParts] = {};
  bool accumulate[NormRows::kMaxParts] = {};  // where these are gradients
};

}  // namespace edt
