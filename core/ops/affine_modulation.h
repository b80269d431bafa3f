// One modulation for many blocks, each of which scales and shifts it by tables of its own
// (adaLN-affine of E-MMDiT, arXiv 2510.27135): y = shift + m (1 + scale).
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct AffineModulationKernels : virtual KernelFamily {
  // m, y [M, N]; scale, shift [N].
  virtual void affine_modulation_forward(const Tensor& m, const Tensor& scale, const Tensor& shift,
                                         const Tensor& y);
  virtual void affine_modulation_backward(const Tensor& dy, const Tensor& m, const Tensor& scale,
                                          const GradTarget& dm, const GradTarget& dscale,
                                          const GradTarget& dshift);
};

// m [M, N] -> [M, N]; the tables have N elements each.
Var affine_modulation(Tape& tape, const Var& m, Parameter& scale, Parameter& shift);

}  // namespace edt
