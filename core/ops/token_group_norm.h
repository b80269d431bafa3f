// Group norm of tokens and what follows it in a small convolution network: a leaky ReLU.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

// PyTorch's defaults. EDiT's paper gives neither.
inline constexpr double kGroupNormEpsilon = 1e-5, kLeakySlope = 0.01;

struct TokenGroupNormKernels : virtual KernelFamily {
  // n = (x - mean) / sqrt(variance + epsilon), over all tokens and the channels of a group, of each
  // sample. x, y [B, T, C] = leaky(n weight + bias); weight, bias [C]; stats [B, groups, 2]
  // (accurate_dtype) receives mean and 1 / sqrt(..).
  virtual void token_group_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                        const Tensor& stats, const Tensor& y);
  virtual void token_group_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight,
                                         const Tensor& bias, const Tensor& stats,
                                         const GradTarget& dx, const GradTarget& dweight,
                                         const GradTarget& dbias);
};

// x [B, T, C] -> [B, T, C]; `groups` divide C. Wu and He, arXiv 1803.08494.
Var token_group_norm(Tape& tape, const Var& x, Parameter& weight, Parameter& bias,
                     std::int64_t groups);

}  // namespace edt
