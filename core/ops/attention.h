// Multi-head self-attention on a token grid, with a learnt relative-position bias or
// without. No [B, heads, T, T] tensor is stored: backward recomputes the probabilities from lse.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/tokens.h"

namespace edt {

// B samples, T tokens, H heads of size d. logits = q k^T / sqrt(d) + bias, where
// bias[h][i][j] = table[(yi - yj + r-1) * (2c-1) + (xi - xj + c-1)][h] for tokens at (y, x) on a
// grid of r x c. Extra table rows are unused.
struct AttentionKernels : virtual KernelFamily {
  // All tokens of the grid, T = r*c: qkv [B, T, 3, H, d], table [>= (2r-1)(2c-1), H] or undefined
  // (no bias, no dtable, any T), out [B, T, H*d];
  // lse [B, H, T] (accurate_dtype) = log sum exp of each row of logits, or undefined.
  virtual void attention_forward(const Tensor& qkv, const TokenGrid& grid, const Tensor& table,
                                 const Tensor& out, const Tensor& lse);
  virtual void attention_backward(const Tensor& dout, const Tensor& qkv, const TokenGrid& grid,
                                  const Tensor& table, const Tensor& out, const Tensor& lse,
                                  const GradTarget& dqkv, const GradTarget& dtable);
  // The T tokens of the grid that are visible in each sample.
  virtual void visible_attention_forward(const Tensor& qkv, const VisibleTokens& visible,
                                         const Tensor& table, const Tensor& out, const Tensor& lse);
  virtual void visible_attention_backward(const Tensor& dout, const Tensor& qkv,
                                          const VisibleTokens& visible, const Tensor& table,
                                          const Tensor& out, const Tensor& lse,
                                          const GradTarget& dqkv, const GradTarget& dtable);
  // softmax(logits) * modulation elementwise, modulation [T, T] accurate_dtype, not renormalised:
  // the attention modulation matrix of EDT (arXiv 2410.23788, section 3.2), inference only.
  virtual void attention_modulated_forward(const Tensor& qkv, const TokenGrid& grid,
                                           const Tensor& table, const Tensor& modulation,
                                           const Tensor& out);
};

// qkv [B, T, 3*D], table [rows, H] -> [B, T, D]. With `modulation` defined: the modulated form.
Var attention(Tape& tape, const Var& qkv, Parameter& table, const TokenGrid& grid,
              const Tensor& modulation = {});
// The same on the tokens that are visible.
Var visible_attention(Tape& tape, const Var& qkv, Parameter& table, const VisibleTokens& visible);
// Without a bias.
Var plain_attention(Tape& tape, const Var& qkv, std::int64_t heads);

}  // namespace edt
