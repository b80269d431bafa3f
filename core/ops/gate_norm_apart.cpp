#include "core/ops/gate_norm_apart.h"

namespace edt {

void gate_norm_forward_apart(Backend& backend, const Tensor& x, const Gated& branch,
                             const NormTerms& norm, const Tensor& sum, const Tensor& y,
                             const Tensor& stats) {
  backend.gate_residual_forward(x, branch.gate, branch.h, sum);
  if (norm.weight.defined()) {
    backend.modulated_rms_norm_forward(sum, norm.weight, norm.shift, norm.scale, y, stats);
  } else {
    backend.modulated_norm_forward(sum, norm.shift, norm.scale, y, stats);
  }
}

// dx = dsum = what arrived and the norm's; dh and dgate are the gated residual's of that.
void gate_norm_backward_apart(Backend& backend, const Tensor& dy, const Tensor& sum,
                              const Tensor& stats, const Gated& branch, const NormTerms& norm,
                              const GradTarget& dsum, const GatedGrads& dbranch,
                              const NormTermGrads& dnorm) {
  if (norm.weight.defined()) {
    backend.modulated_rms_norm_backward(dy, sum, norm.weight, stats, norm.scale, dsum, dnorm.weight,
                                        dnorm.shift, dnorm.scale);
  } else {
    backend.modulated_norm_backward(dy, sum, stats, norm.scale, dsum, dnorm.shift, dnorm.scale);
  }
  backend.gate_residual_backward(dsum.tensor, branch.gate, branch.h, dbranch.h, dbranch.gate);
}

}  // namespace edt
