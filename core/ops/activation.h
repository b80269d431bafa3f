// Element-wise functions.
#pragma once

#include "core/ops/activation_kind.h"
#include "core/ops/kernel.h"

namespace edt {

struct ActivationKernels : virtual KernelFamily {
  virtual void activation_forward(Activation kind, const Tensor& x, const Tensor& y);
  // dx (+)= dy * f'(x)
  virtual void activation_backward(Activation kind, const Tensor& dy, const Tensor& x,
                                   const GradTarget& dx);
  // y [M, n] = silu(gate) * value of h [M, 2n], gate and value: SwiGLU apart from its products.
  virtual void silu_gate_forward(const Tensor& h, const Tensor& y);
  virtual void silu_gate_backward(const Tensor& dy, const Tensor& h, const GradTarget& dh);
  virtual void add_forward(const Tensor& a, const Tensor& b, const Tensor& y);
};

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), Hendrycks and Gimpel, arXiv 1606.08415.
Var gelu(Tape& tape, const Var& x);
// x / (1 + exp(-x))
Var silu(Tape& tape, const Var& x);
// max(x, 0)
Var relu(Tape& tape, const Var& x);
// silu(first half of the columns) * second half, [..., 2n] -> [..., n].
Var silu_gate(Tape& tape, const Var& h);
// a + b, equal shapes.
Var add(Tape& tape, const Var& a, const Var& b);

}  // namespace edt
