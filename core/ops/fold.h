// Squares of neighbouring tokens as one token with their channels, and back: pixel-unshuffle and
// pixel-shuffle (Shi et al., arXiv 1609.05158) of a grid of tokens, in the order that they were
// published in. (pixel_shuffle() of layout.h is that of EDT: places first.)
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/token_grid.h"

namespace edt {

// `grid`: that of the fine tokens, whose sides `side` divides. The folded token has channel
// c * side^2 + y * side + x of what is channel c of the token at (y, x) in its square.
struct FoldKernels : virtual KernelFamily {
  // x [B, T, C] -> y [B, T / side^2, C * side^2]
  virtual void fold_tokens(const Tensor& x, const TokenGrid& grid, std::int64_t side,
                           const GradTarget& y);
  // x [B, T / side^2, C * side^2] -> y [B, T, C]
  virtual void unfold_tokens(const Tensor& x, const TokenGrid& grid, std::int64_t side,
                             const GradTarget& y);
};

Var fold_tokens(Tape& tape, const Var& x, const TokenGrid& grid, std::int64_t side);
Var unfold_tokens(Tape& tape, const Var& x, const TokenGrid& grid, std::int64_t side);

}  // namespace edt
