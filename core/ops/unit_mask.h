// Masks of units that a network may lose, after DMAD (Li et al., arXiv 2011.08382): a weight w of
// each unit and a bound d make a factor of what the unit gives,
//   0 (w <= -d),  (w + d)^2 / (2 d^2) (-d < w <= 0),  1 - (d - w)^2 / (2 d^2) (0 < w <= d),  1 (w >
//   d)
// and at d = 0 a step. A bound below 0 stands for a factor of 1: nothing is decided any more.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/unit_mask_form.h"

namespace edt {

// `band` [3, n], accurate_dtype, says of each unit: its bound, a scale of the factor, and the price
// that its part of a sparsity counts with.
struct UnitMaskKernels : virtual KernelFamily {
  // weights, factors [n]
  virtual void band_mask_forward(const Tensor& weights, const Tensor& band, const Tensor& factors);
  virtual void band_mask_backward(const Tensor& dfactors, const Tensor& weights, const Tensor& band,
                                  const GradTarget& dweights);
  // sum [1]; losses [B] += sum, each of them.
  virtual void band_sparsity_forward(SparsityForm form, const Tensor& weights, const Tensor& band,
                                     const Tensor& losses, const Tensor& sum);
  virtual void band_sparsity_backward(SparsityForm form, const Tensor& dsum, const Tensor& sum,
                                      const Tensor& weights, const Tensor& band,
                                      const GradTarget& dweights);
  // x, y [M, n * e]: e neighbouring columns are a unit's. factors [n], or [G, n] where each row of
  // them is that of M / G neighbouring rows.
  virtual void mask_units_forward(const Tensor& x, const Tensor& factors, const Tensor& y);
  virtual void mask_units_backward(const Tensor& dy, const Tensor& x, const Tensor& factors,
                                   const GradTarget& dx, const GradTarget& dfactors);
};

// Scale times mask of each unit, [n], of weights with n elements in accurate_dtype. `band` lies in
// memory that outlives the step.
Var band_mask(Tape& tape, const Var& weights, const Tensor& band);

// [1]; 0 where no weight lies within its band. `losses` [B]: each is added to.
Var band_sparsity(Tape& tape, const Var& weights, const Tensor& band, SparsityForm form,
                  const Tensor& losses);

// x [..., n * e] with each unit's columns times its factor: factors of n elements in all rows, or
// [G, n] with one row of them for each part of x's rows, of a sample or of a token.
Var mask_units(Tape& tape, const Var& x, const Var& factors);
// x [B, T, D] with each token times its factor: factors [B, T].
Var gate_tokens(Tape& tape, const Var& x, const Var& factors);

}  // namespace edt
