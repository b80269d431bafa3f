// Convolutions of tokens on their grid, 3 x 3 with zeros around it, as parts of a network that is
// trained.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/token_grid.h"

namespace edt {

// Places of a 3 x 3 kernel, row by row: number 3 i + j reads the token that stands i - 1 rows down
// and j - 1 columns across.
inline constexpr std::int64_t kTaps = 9;

// The grid that a kernel with that stride gives, one row and column of zeros being around.
inline TokenGrid strided(const TokenGrid& grid, std::int64_t stride) {
  return {(grid.rows - 1) / stride + 1, (grid.columns - 1) / stride + 1};
}

struct TokenConvolutionKernels : virtual KernelFamily {
  // z [B, T, 9 N] is what each token gives to each place of the kernel, bias [N]:
  // y [B, T, N] = bias + the sum over the places of columns place * N ... of the token read there
  virtual void gather_taps_forward(const Tensor& z, const Tensor& bias, const TokenGrid& grid,
                                   const Tensor& y);
  // dz of dy, overwritten
  virtual void gather_taps_backward(const Tensor& dy, const TokenGrid& grid, const Tensor& dz);
  // Each channel by itself: x [B, T, N], weight [N, 1, 3, 3], bias [N], y [B, T', N] on the strided
  // grid
  virtual void depthwise_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                 const TokenGrid& grid, std::int64_t stride, const Tensor& y);
  virtual void depthwise_backward(const Tensor& dy, const Tensor& x, const Tensor& weight,
                                  const TokenGrid& grid, std::int64_t stride, const GradTarget& dx,
                                  const GradTarget& dweight, const GradTarget& dbias);
};

// x [B, T, C], weight [N, C, 3, 3], bias [N] -> [B, T, N]. One product gives what each token adds
// to its neighbours, 9 N columns, and these are summed: where N is smaller than C there is less to
// be moved than by a product of unfolded tokens, which have 9 C.
Var token_convolution(Tape& tape, const Var& x, Parameter& weight, Parameter& bias,
                      const TokenGrid& grid);
// x [B, T, N], weight [N, 1, 3, 3], bias [N] -> [B, T', N].
Var depthwise_convolution(Tape& tape, const Var& x, Parameter& weight, Parameter& bias,
                          const TokenGrid& grid, std::int64_t stride);

}  // namespace edt
