// One op after the other. dx = dsum = incoming + norm's; dh, dgate of it as the gated residual's.
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::gate_norm_forward(T x, const Gated& branch, const NormTerms& norm, T sum,
                                         T y, T stats) {
  gate_residual_forward(x, branch.gate, branch.h, sum);
  if (norm.weight.defined()) {
    modulated_rms_norm_forward(sum, norm.weight, norm.shift, norm.scale, y, stats);
  } else {
    modulated_norm_forward(sum, norm.shift, norm.scale, y, stats);
  }
}

void ReferenceBackend::gate_norm_backward(T dy, T sum, T stats, const Gated& branch,
                                          const NormTerms& norm, G dsum, const GatedGrads& dbranch,
                                          const NormTermGrads& dnorm) {
  if (norm.weight.defined()) {
    modulated_rms_norm_backward(dy, sum, norm.weight, stats, norm.scale, dsum, dnorm.weight,
                                dnorm.shift, dnorm.scale);
  } else {
    modulated_norm_backward(dy, sum, stats, norm.scale, dsum, dnorm.shift, dnorm.scale);
  }
  gate_residual_backward(dsum.tensor, branch.gate, branch.h, dbranch.h, dbranch.gate);
}

}  // namespace edt
