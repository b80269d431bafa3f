// Rearrangements between images, patches and token grids, and the token mask of EDT-XL.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/token_grid.h"

namespace edt {

struct LayoutKernels : virtual KernelFamily {
  // image [B, C, r*p, c*p] accurate_dtype -> patches [B, r*c, C*p*p], each in (channel, row,
  // column) order, the order of a convolution weight.
  virtual void patchify(const Tensor& image, std::int64_t patch, const Tensor& patches);
  // tokens [B, r*c, p*p*C] in (row, column, channel) order -> image [B, C, r*p, c*p] accurate_dtype
  virtual void unpatchify(const Tensor& tokens, std::int64_t patch, const Tensor& image);
  // x [B, T, 4*C] on the grid, in (row, column, channel) order -> y [B, 4*T, C] on the doubled grid
  virtual void pixel_shuffle_forward(const Tensor& x, const TokenGrid& grid, const Tensor& y);
  virtual void pixel_shuffle_backward(const Tensor& dy, const TokenGrid& grid,
                                      const GradTarget& dx);
  // x [A, B, C] -> y [B, A, C], overwritten or added to: forward and backward at once
  virtual void swap_leading_axes(const Tensor& x, const GradTarget& y);
  // y = x where mask [B, T] (float32) is 1, positions [T, D] where it is 0; x, y [B, T, D]
  virtual void mask_tokens_forward(const Tensor& x, const Tensor& mask, const Tensor& positions,
                                   const Tensor& y);
  virtual void mask_tokens_backward(const Tensor& dy, const Tensor& mask, const GradTarget& dx);
};

// Patch embedding: patchify, then linear with weight [D, C, p, p], bias [D] and positions [T, D].
Var patch_embedding(Tape& tape, const Tensor& image, Parameter& weight, Parameter& bias,
                    const Tensor& positions);
Var pixel_shuffle(Tape& tape, const Var& x, const TokenGrid& grid);
// [P, M, N] -> [M, P*N]: the columns of P parts side by side
Var join_columns(Tape& tape, const Var& parts);
// [M, N] -> [M, times*N]: the same columns again and again
Var repeat_columns(Tape& tape, const Var& x, std::int64_t times);
Var mask_tokens(Tape& tape, const Var& x, const Tensor& mask, const Tensor& positions);

}  // namespace edt
