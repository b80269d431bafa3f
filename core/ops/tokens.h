// Passes that drop tokens: taking the visible ones out of a grid, putting them back beside a learnt
// token in place of the dropped ones (as in masked auto-encoders, He et al., arXiv 2111.06377), and
// learnt positions.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/token_grid.h"

namespace edt {

// The visible tokens of each sample: K of the T of the grid.
struct VisibleTokens {
  Tensor ids;     // [B, K] int32: where the visible tokens stand on the grid
  Tensor places;  // [B, T] int32: which visible token stands there, -1: none
  TokenGrid grid;
};

struct TokenKernels : virtual KernelFamily {
  // y [B, K, D] = the visible tokens of x [B, T, D]
  virtual void gather_tokens_forward(const Tensor& x, const VisibleTokens& visible,
                                     const Tensor& y);
  virtual void gather_tokens_backward(const Tensor& dy, const VisibleTokens& visible,
                                      const GradTarget& dx);
  // y [B, T, D] = x [B, K, D] where a token is visible, `token` [D] elsewhere
  virtual void restore_tokens_forward(const Tensor& x, const VisibleTokens& visible,
                                      const Tensor& token, const Tensor& y);
  virtual void restore_tokens_backward(const Tensor& dy, const VisibleTokens& visible,
                                       const GradTarget& dx, const GradTarget& dtoken);
  // y = `visible_rows` where a token is visible, `dropped_rows` elsewhere; all [B, T, D]
  virtual void select_tokens_forward(const Tensor& visible_rows, const Tensor& dropped_rows,
                                     const VisibleTokens& visible, const Tensor& y);
  virtual void select_tokens_backward(const Tensor& dy, const VisibleTokens& visible,
                                      const GradTarget& dvisible_rows,
                                      const GradTarget& ddropped_rows);
  // y [B, T, D] = x + positions [T, D]; dpositions = the sum of dy over the samples
  virtual void add_positions_forward(const Tensor& x, const Tensor& positions, const Tensor& y);
  virtual void add_positions_backward(const Tensor& dy, const GradTarget& dpositions);
};

Var gather_tokens(Tape& tape, const Var& x, const VisibleTokens& visible);
// `token` has D elements.
Var restore_tokens(Tape& tape, const Var& x, const VisibleTokens& visible, Parameter& token);
Var select_tokens(Tape& tape, const Var& visible_rows, const Var& dropped_rows,
                  const VisibleTokens& visible);
// `positions` has T * D elements.
Var add_positions(Tape& tape, const Var& x, Parameter& positions);

}  // namespace edt
