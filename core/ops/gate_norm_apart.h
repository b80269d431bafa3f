// The kernels of gate_norm() as those of the two ops that it stands for: to the same bits, of a
// backend that gains nothing by doing both at once, or that is to show each.
#pragma once

#include "core/ops/backend.h"

namespace edt {

void gate_norm_forward_apart(Backend& backend, const Tensor& x, const Gated& branch,
                             const NormTerms& norm, const Tensor& sum, const Tensor& y,
                             const Tensor& stats);
void gate_norm_backward_apart(Backend& backend, const Tensor& dy, const Tensor& sum,
                              const Tensor& stats, const Gated& branch, const NormTerms& norm,
                              const GradTarget& dsum, const GatedGrads& dbranch,
                              const NormTermGrads& dnorm);

}  // namespace edt
