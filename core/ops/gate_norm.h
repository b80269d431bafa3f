// A gated residual and the norm that reads it, in one op: x' = x + gate[b] * h (gate.h), and
// y = norm(x') modulated (modulated_norm.h). Values and gradients have the bits of the two ops.
#pragma once

#include "core/ops/modulated_norm.h"

namespace edt {

// What is added to the residual stream: gate[b] * h, h [B, T, D], gate: D columns.
struct Gated {
  Tensor h;
  Columns gate;
};
struct GatedGrads {
  GradTarget h;
  Columns gate;
};

// Layer norm, or RMS norm by `weight` [D] where it is defined; nothing is added where `shift` has
// no tensor.
struct NormTerms {
  Tensor weight;
  Columns shift, scale;
};
struct NormTermGrads {
  GradTarget weight;
  Columns shift, scale;
};

struct GateNormKernels : virtual KernelFamily {
  // x, sum, y [B, T, D]; sum = x'. stats [B * T, 2] as the norm alone leaves them.
  virtual void gate_norm_forward(const Tensor& x, const Gated& branch, const NormTerms& norm,
                                 const Tensor& sum, const Tensor& y, const Tensor& stats) = 0;
  // First dsum (+)= the norm's gradient, which is also x's; of that, what the gated residual makes.
  // Adds to columns.
  virtual void gate_norm_backward(const Tensor& dy, const Tensor& sum, const Tensor& stats,
                                  const Gated& branch, const NormTerms& norm,
                                  const GradTarget& dsum, const GatedGrads& dbranch,
                                  const NormTermGrads& dnorm) = 0;
};

// Chunk `gate` (of x's width) of `modulation` [B, K].
struct GateChunk {
  Var modulation;
  int gate = 0;
};
// By chunks of `modulation` [B, K']; `weight` [D] of RMS norm, or nullptr: layer norm.
struct NormChunks {
  Parameter* weight = nullptr;
  Var modulation;
  ModulationChunks chunks = {};
};
struct GateNorm {
  Var sum, normed;
};
GateNorm gate_norm(Tape& tape, const Var& x, const GateChunk& gate, const Var& h,
                   const NormChunks& norm);

}  // namespace edt
