// The two-dimensional state-space layer (Baron et al., arXiv 2306.06635): each channel is convolved
// with kernels as large as the grid, which come from a recurrence of two states, one that flows to
// the right and one that flows down.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/token_grid.h"

namespace edt {

// D channels, G directions, Q groups of S states; P is 2, or 4 where states are complex.
//   a [2 P, Q, S]    P = 2: A1 ... A4 before a sigmoid. P = 4: their radius before a sigmoid, then
//                    their angles in turns before one
//   b, c             [P, Q, S] (before a sigmoid) and [P, G D, S]: of the state that flows right,
//                    of that which flows down, then the imaginary parts of both
//   states           [cells, P, Q, S] in that order, for the cells of the grid
// With h(0,0) = B1 and v(0,0) = B2, elsewhere zero in the first column (h) and the first row (v):
//   h(i,j) = f (A1 h(i,j-1) + A2 v(i,j-1)),  v(i,j) = f (A3 h(i-1,j) + A4 v(i-1,j))
// where f = 1/2 if both states of the cell that is read are there, else 1; and
//   kernel(i,j)_n = g Re sum over S of (C1 h + C2 v) / sqrt(S)  of group n mod Q,
// g = 2 in the first row and the first column but not at (0,0), else 1. omega [D] or undefined is
// added to kernel(0,0) of the first direction: what the layer hands through.
struct StateSpaceKernels : virtual KernelFamily {
  // kernel [cells, G D], states: accurate_dtype
  virtual void ssm2d_kernel_forward(const Tensor& a, const Tensor& b, const Tensor& c,
                                    const Tensor& omega, const TokenGrid& grid,
                                    const Tensor& states, const Tensor& kernel);
  virtual void ssm2d_kernel_backward(const Tensor& dkernel, const Tensor& a, const Tensor& b,
                                     const Tensor& c, const Tensor& states, const TokenGrid& grid,
                                     const GradTarget& da, const GradTarget& db,
                                     const GradTarget& dc, const GradTarget& domega);
  // x, y [B, T, D], kernel [T, G D] accurate_dtype:
  //   y(i,j) = sum over directions, and over cells (a,b) as long as they lie on the grid, of
  //   kernel(a,b) x(i - a, j - b), the signs being those of the direction: both -, with two
  //   directions then both +; with four -, then + along rows, + along columns, both +
  virtual void grid_convolution_forward(const Tensor& x, const Tensor& kernel,
                                        const TokenGrid& grid, const Tensor& y);
  virtual void grid_convolution_backward(const Tensor& dy, const Tensor& x, const Tensor& kernel,
                                         const TokenGrid& grid, const GradTarget& dx,
                                         const GradTarget& dkernel);
};

// Which way a direction's kernel is laid over the grid.
struct KernelWay {
  bool up = false, left = false;  // reads x(i + a, .), x(., j + b)

  static KernelWay of(std::int64_t direction, std::int64_t directions) {
    if (directions == 2) return {direction == 1, direction == 1};
    return {direction == 1 || direction == 3, direction >= 2};
  }
  KernelWay reversed() const { return {!up, !left}; }
};

// The factors of a cell. Of h: when it is computed from the cell on its left; of v: from that
// above.
struct StateFactors {
  static double right(std::int64_t i, std::int64_t j) {
    return (i == 0 && j == 1) || (i >= 1 && j >= 2) ? 0.5 : 1;
  }
  static double down(std::int64_t i, std::int64_t j) { return right(j, i); }
  static double kernel(std::int64_t i, std::int64_t j) { return (i == 0) != (j == 0) ? 2 : 1; }
};

// Multiplications that a grid's convolution asks for of one channel in one direction.
inline double grid_pairs(const TokenGrid& grid) {
  const auto along = [](std::int64_t n) { return static_cast<double>(n * (n + 1)) / 2; };
  return along(grid.rows) * along(grid.columns);
}

// -> [T, G D]. Parameters as above; omega may be nullptr.
Var ssm2d_kernel(Tape& tape, Parameter& a, Parameter& b, Parameter& c, Parameter* omega,
                 const TokenGrid& grid);
// x [B, T, D], kernel [T, G D], G 2 or 4 -> [B, T, D].
Var grid_convolution(Tape& tape, const Var& x, const Var& kernel, const TokenGrid& grid);

}  // namespace edt
