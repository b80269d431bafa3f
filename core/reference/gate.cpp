// y = x + gate[b] h.  dh = gate[b] dy.  dgate[b] = sum over tokens of h dy.
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::gate_residual_forward(T x, C gate, T h, T y) {
  const std::int64_t width = x.shape[2], per_sample = x.shape[1] * width;
  const Doubles factor = load(gate), branch = load(h);
  Doubles out = load(x);
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    out[i] += factor[i / per_sample * width + i % width] * branch[i];
  }
  store(out, y);
}

void ReferenceBackend::gate_residual_backward(T dy, C gate, T h, G dh, C dgate) {
  const std::int64_t width = h.shape[2], per_sample = h.shape[1] * width;
  const Doubles factor = load(gate), branch = load(h), d = load(dy);
  Doubles dbranch(d.size()), dfactor(factor.size(), 0.0);
  for (std::int64_t i = 0; i < h.elements(); ++i) {
    const std::int64_t at = i / per_sample * width + i % width;
    dbranch[i] = factor[at] * d[i];
    dfactor[at] += branch[i] * d[i];
  }
  store(dbranch, dh);
  add_to(dfactor, dgate);
}

}  // namespace edt
