// Layer norm with a learnt weight and bias (eps 1e-5, Ba et al., arXiv 1607.06450), modulated or
// not. With n = (x - mean) / std, (w n + b) (1 + scale) + shift is n (1 + scale') + shift' for
// scale' = w (1 + scale) - 1 and shift' = b (1 + scale) + shift: a modulation of few rows, computed
// first, and then a norm without parameters.
#pragma once

#include "core/ops/modulated_norm.h"

namespace edt {

inline constexpr double kAffineNormEpsilon = 1e-5;

struct AffineNormKernels : virtual KernelFamily {
  // y [B, 2 D] = shift', then scale'. weight, bias [D]; shift, scale: D columns each, or without
  // tensors: 0.
  virtual void fold_affine_forward(const Tensor& weight, const Tensor& bias, const Columns& shift,
                                   const Columns& scale, const Tensor& y);
  // Adds to dshift and dscale (zero-filled by the tape), where they have tensors.
  virtual void fold_affine_backward(const Tensor& dy, const Tensor& weight, const Tensor& bias,
                                    const Columns& scale, const Columns& dshift,
                                    const Columns& dscale, const GradTarget& dweight,
                                    const GradTarget& dbias);
  // As modulated_norm_forward() and modulated_norm_backward(), with eps 1e-5.
  virtual void affine_norm_forward(const Tensor& x, const Columns& shift, const Columns& scale,
                                   const Tensor& y, const Tensor& stats);
  virtual void affine_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& stats,
                                    const Columns& scale, const GradTarget& dx,
                                    const Columns& dshift, const Columns& dscale);
};

// x [B, T, D]; weight, bias [D]. `modulation` as modulated_norm() takes it, or empty: none.
Var affine_norm(Tape& tape, const Var& x, Parameter& weight, Parameter& bias, const Var& modulation,
                ModulationChunks chunks = {});

}  // namespace edt
