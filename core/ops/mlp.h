// The transformer's feed-forward block, y = W2 f(W1 x + b1) + b2, as one op: a backend may keep the
// wide hidden activation in cache, and only the pre-activation h is saved for backward, or gelu's
// result as well. f is gelu, or SwiGLU (Shazeer, arXiv 2002.05202): silu of h's first half times
// its second half.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct MlpWeights {
  Tensor fc1, fc1_bias, fc2, fc2_bias;  // [F, D], [F], [D, F], [D] or undefined
};

struct MlpGrads {
  GradTarget fc1, fc1_bias, fc2, fc2_bias;
};

// What backward needs of the hidden units, [M, F]: the pre-activation, and gelu of it where that is
// kept.
struct MlpHidden {
  Tensor before, after;
};

struct MlpKernels : virtual KernelFamily {
  // x [M, D], y [M, D]; hidden is written, or undefined when backward will not follow.
  virtual void mlp_forward(const Tensor& x, const MlpWeights& weights, const MlpHidden& hidden,
                           const Tensor& y);
  virtual void mlp_backward(const Tensor& dy, const Tensor& x, const MlpHidden& hidden,
                            const MlpWeights& weights, const GradTarget& dx, const MlpGrads& grads);
  // As these, fc1 [2F, D], its bias [2F] and hidden [M, 2F] being gate and value; fc2 is [D, F].
  // The activation is not kept: backward has it for nothing from the kernel that it needs anyway.
  virtual void swiglu_forward(const Tensor& x, const MlpWeights& weights, const Tensor& hidden,
                              const Tensor& y);
  virtual void swiglu_backward(const Tensor& dy, const Tensor& x, const Tensor& hidden,
                               const MlpWeights& weights, const GradTarget& dx,
                               const MlpGrads& grads);
};

struct MlpParameters {
  Parameter& fc1;
  Parameter& fc1_bias;
  Parameter& fc2;
  Parameter* fc2_bias;  // nullptr: none
};

// Whether gelu(h) is kept for backward, or computed again.
enum class KeepActivated { kNo, kYes };

// x [..., D] -> [..., D]
Var mlp(Tape& tape, const Var& x, const MlpParameters& parameters,
        KeepActivated keep = KeepActivated::kNo);
Var swiglu(Tape& tape, const Var& x, const MlpParameters& parameters);

}  // namespace edt
