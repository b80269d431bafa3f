// Losses between tokens and a target in the same order: what the network should have given.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

// Of a group of neighbouring values y from its target z.
enum class Distance {
  kSquare,  // (y - z)^2
  // 1 - cos(y, z), norms bounded below by kDirectionFloor. The direction of a y that is shorter
  // than that is nobody's: its gradient is zero, not 1 / kDirectionFloor large (docs/diffusion.md).
  kDirection,
  kAbsolute,  // |y - z|, whose slope at 0 is 0
  kSmoothL1,  // (y - z)^2 / (2 beta) where |y - z| < beta, else |y - z| - beta / 2
  // - sum softmax(z / target_temperature) log softmax(y / temperature): of a student's logits from
  // a teacher's (DINO, Caron et al., arXiv 2104.14294)
  kCrossEntropy
};
inline constexpr double kDirectionFloor = 1e-8;

struct TokenDistance {
  Distance kind = Distance::kSquare;
  std::int64_t group = 1;  // values that have a direction, or are logits, together; divides the
                           // width of a token
  double beta = 1;         // of kSmoothL1
  double temperature = 1, target_temperature = 1;  // of kCrossEntropy

  // Whether the values of a group count together.
  bool of_groups() const { return kind == Distance::kDirection || kind == Distance::kCrossEntropy; }
};

// Images [B, C, r*p, c*p]; tokens and target [B, r*c, p*p*C] in (row, column, channel) order.
// Target, factors, weights [B] and per-sample losses are accurate_dtype.
struct TokenLossKernels : virtual KernelFamily {
  // target[b] = mix[b][0] * x_start[b] + mix[b][1] * noise[b], in the order of tokens; mix [B, 2]
  virtual void noise_target(const Tensor& x_start, const Tensor& noise, const Tensor& mix,
                            std::int64_t patch, const Tensor& target);
  // losses[b] = factors[b] * mean of the distances.
  // mean[0] = sum_b weights[b] * losses[b] / B, summed in batch order.
  virtual void token_loss_forward(const Tensor& tokens, const Tensor& target, const Tensor& factors,
                                  const Tensor& weights, const TokenDistance& distance,
                                  const Tensor& losses, const Tensor& mean);
  // dtokens = dmean[0] * d(mean)
  virtual void token_loss_backward(const Tensor& dmean, const Tensor& tokens, const Tensor& target,
                                   const Tensor& factors, const Tensor& weights,
                                   const TokenDistance& distance, const GradTarget& dtokens);
};

struct TokenLossInputs {
  Var target;
  Tensor factors, weights;
  TokenDistance distance = {};
};

// Returns [1], the weighted mean over the batch. `losses` [B] is memory of the caller that receives
// the per-sample values.
Var token_loss(Tape& tape, const Var& tokens, const TokenLossInputs& inputs, const Tensor& losses);

}  // namespace edt
