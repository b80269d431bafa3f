#include "core/ops/gate_norm_apart.h"

#include "core/cpu/kernels.h"

namespace edt {

void CpuBackend::gate_norm_forward(T x, const Gated& branch, const NormTerms& norm, T sum, T y,
                                   T stats) {
  gate_norm_forward_apart(*this, x, branch, norm, sum, y, stats);
}

void CpuBackend::gate_norm_backward(T dy, T sum, T stats, const Gated& branch,
                                    const NormTerms& norm, G dsum, const GatedGrads& dbranch,
                                    const NormTermGrads& dnorm) {
  gate_norm_backward_apart(*this, dy, sum, stats, branch, norm, dsum, dbranch, dnorm);
}

}  // namespace edt
