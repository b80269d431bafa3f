// A compound kernel that a backend does not override calls those that it stands for.
#include "core/ops/backend.h"

namespace edt {

void Backend::gate_norm_forward(const Tensor& x, const Gated& branch, const NormTerms& norm,
                                const Tensor& sum, const Tensor& y, const Tensor& stats) {
  gate_residual_forward(x, branch.gate, branch.h, sum);
  if (norm.weight.defined()) {
    modulated_rms_norm_forward(sum, norm.weight, norm.shift, norm.scale, y, stats);
  } else {
    modulated_norm_forward(sum, norm.shift, norm.scale, y, stats);
  }
}

// dx = dsum = what arrived and the norm's; dh and dgate are the gated residual's of that.
void Backend::gate_norm_backward(const Tensor& dy, const Tensor& sum, const Tensor& stats,
                                 const Gated& branch, const NormTerms& norm, const GradTarget& dsum,
                                 const GatedGrads& dbranch, const NormTermGrads& dnorm) {
  if (norm.weight.defined()) {
    modulated_rms_norm_backward(dy, sum, norm.weight, stats, norm.scale, dsum, dnorm.weight,
                                dnorm.shift, dnorm.scale);
  } else {
    modulated_norm_backward(dy, sum, stats, norm.scale, dsum, dnorm.shift, dnorm.scale);
  }
  gate_residual_backward(dsum.tensor, branch.gate, branch.h, dbranch.h, dbranch.gate);
}

}  // namespace edt
