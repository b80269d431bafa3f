// y = x + b in every row. A product adds its bias itself; this is for one whose partial results are
// summed over ranks first, so that the bias is added once.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct BiasKernels : virtual KernelFamily {
  // x, y [M, N], bias [N]
  virtual void add_bias_forward(const Tensor& x, const Tensor& bias, const Tensor& y);
  // db (+)= column sums of dy. (dx = dy is the tape's business.)
  virtual void add_bias_backward(const Tensor& dy, const GradTarget& dbias);
};

// x [..., N] + bias, a parameter of N elements
Var add_bias(Tape& tape, const Var& x, Parameter& bias);

}  // namespace edt
