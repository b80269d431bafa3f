// Gated residual, y = x + gate[b] * h.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct GateKernels : virtual KernelFamily {
  // x, h, y [B, T, D]; gate: D columns
  virtual void gate_residual_forward(const Tensor& x, const Columns& gate, const Tensor& h,
                                     const Tensor& y);
  // dh (+)= gate * dy; dgate += sum over T of h * dy. (dx = dy is the tape's business.)
  virtual void gate_residual_backward(const Tensor& dy, const Columns& gate, const Tensor& h,
                                      const GradTarget& dh, const Columns& dgate);
};

// gate = chunk `gate_chunk` (of x's width) of modulation [B, K].
Var gate_residual(Tape& tape, const Var& x, const Var& modulation, int gate_chunk, const Var& h);

}  // namespace edt
