// RMS norm of rows (Zhang and Sennrich, arXiv 1910.07467) with a learnt weight:
// y = weight x / sqrt(mean x^2 + eps), eps 1e-5.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

inline constexpr double kRmsEpsilon = 1e-5;

struct RmsNormKernels : virtual KernelFamily {
  // x, y [M, N], weight [N]; factors [M] (accurate_dtype) receives 1 / sqrt(mean x^2 + eps).
  virtual void rms_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& y,
                                const Tensor& factors);
  virtual void rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight,
                                 const Tensor& factors, const GradTarget& dx,
                                 const GradTarget& dweight);
};

// x [M, N] -> [M, N]; `weight` has N elements.
Var rms_norm(Tape& tape, const Var& x, Parameter& weight);

}  // namespace edt
