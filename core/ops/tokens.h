// Passes that drop tokens: taking the kept ones out of a grid, putting them back beside a learnt
// token in place of the dropped ones (as in masked auto-encoders, He et al., arXiv 2111.06377), and
// learnt positions.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

// The tokens that each sample keeps of a grid x grid: K of T = grid * grid.
struct KeptTokens {
  Tensor ids;     // [B, K] int32: where the kept tokens stand on the grid
  Tensor places;  // [B, T] int32: which kept token stands there, -1: none
  std::int64_t grid = 0;
};

struct TokenKernels : virtual KernelFamily {
  // y [B, K, D] = the kept tokens of x [B, T, D]
  virtual void gather_tokens_forward(const Tensor& x, const KeptTokens& kept, const Tensor& y);
  virtual void gather_tokens_backward(const Tensor& dy, const KeptTokens& kept,
                                      const GradTarget& dx);
  // y [B, T, D] = x [B, K, D] where a token was kept, `token` [D] elsewhere
  virtual void restore_tokens_forward(const Tensor& x, const KeptTokens& kept, const Tensor& token,
                                      const Tensor& y);
  virtual void restore_tokens_backward(const Tensor& dy, const KeptTokens& kept,
                                       const GradTarget& dx, const GradTarget& dtoken);
  // y = `kept_rows` where a token was kept, `dropped_rows` elsewhere; all [B, T, D]
  virtual void select_tokens_forward(const Tensor& kept_rows, const Tensor& dropped_rows,
                                     const KeptTokens& kept, const Tensor& y);
  virtual void select_tokens_backward(const Tensor& dy, const KeptTokens& kept,
                                      const GradTarget& dkept_rows,
                                      const GradTarget& ddropped_rows);
  // y [B, T, D] = x + positions [T, D]; dpositions = the sum of dy over the samples
  virtual void add_positions_forward(const Tensor& x, const Tensor& positions, const Tensor& y);
  virtual void add_positions_backward(const Tensor& dy, const GradTarget& dpositions);
};

Var gather_tokens(Tape& tape, const Var& x, const KeptTokens& kept);
// `token` has D elements.
Var restore_tokens(Tape& tape, const Var& x, const KeptTokens& kept, Parameter& token);
Var select_tokens(Tape& tape, const Var& kept_rows, const Var& dropped_rows,
                  const KeptTokens& kept);
// `positions` has T * D elements.
Var add_positions(Tape& tape, const Var& x, Parameter& positions);

}  // namespace edt
