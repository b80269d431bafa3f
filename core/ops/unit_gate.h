// Gates of units and tokens, after DyDiT (Zhao et al., arXiv 2410.03456): a gate is open where its
// logit z, in training with the difference of two Gumbel draws, is above 0. The gradient is that of
// sigmoid(z / tau): straight through (Jang et al., arXiv 1611.01144).
#pragma once

#include <span>

#include "core/ops/kernel.h"
#include "core/random/stream.h"

namespace edt {

// Gates and their gradients are accurate_dtype, logits of any type.
struct UnitGateKernels : virtual KernelFamily {
  // out [B, n] float32, row b of the stream of samples[b]: random::fill_logistic()
  virtual void random_logistic(random::StreamKey key, const Tensor& samples, const Tensor& out);

  // gates [R, n + lead] of logits [B, n], 1 where they are open and else 0. The first `lead` of a
  // row, and all of rows from B on, are always open. noise [B, N] or undefined: its columns from
  // `first` on are added to the logits.
  virtual void unit_gate_forward(const Tensor& logits, const Tensor& noise, std::int64_t first,
                                 const Tensor& gates);
  virtual void unit_gate_backward(const Tensor& dgates, const Tensor& logits, const Tensor& noise,
                                  std::int64_t first, double tau, const GradTarget& dlogits);

  // share [B] += attention mean(heads) + mlp mean(hidden) mean(tokens) of the first B rows of
  // heads [R, H], hidden [R, G] and tokens [R, T].
  virtual void unit_share_forward(const Tensor& heads, const Tensor& hidden, const Tensor& tokens,
                                  double attention, double mlp, const Tensor& share);
  virtual void unit_share_backward(const Tensor& dshare, const Tensor& heads, const Tensor& hidden,
                                   const Tensor& tokens, double attention, double mlp,
                                   const GradTarget& dheads, const GradTarget& dhidden,
                                   const GradTarget& dtokens);
  // penalty [1] = (mean(share) - target)^2; losses [B] = share
  virtual void share_penalty_forward(const Tensor& share, const Tensor& target,
                                     const Tensor& losses, const Tensor& penalty);
  virtual void share_penalty_backward(const Tensor& dpenalty, const Tensor& share,
                                      const Tensor& target, const GradTarget& dshare);
};

// What a step has drawn for a gate; none: gates follow the sign of the logit.
struct GateNoise {
  Tensor draws = {};  // [B, N], in memory that outlives the step
  std::int64_t first = 0;
  double tau = 1;
};

// logits [B, ..., n] as [B, all] -> gates [rows, lead + all].
Var unit_gate(Tape& tape, const Var& logits, const GateNoise& noise, std::int64_t lead,
              std::int64_t rows);

// The gates of one block, and what it costs with all of them open.
struct GatedBlock {
  Var heads, hidden, tokens;
  double attention = 0, mlp = 0;
};

// Of the first `batch` rows [batch]: sums over the blocks of what is open, by their costs.
Var unit_share(Tape& tape, std::span<const GatedBlock> blocks, std::int64_t batch);

// [1], how far the mean is from target [1]; `losses` [B] receives the shares.
Var share_penalty(Tape& tape, const Var& share, const Tensor& target, const Tensor& losses);

}  // namespace edt
