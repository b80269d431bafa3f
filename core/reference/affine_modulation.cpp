// y = b + m (1 + s).  dm = dy (1 + s).  ds = column sums of dy m.  db = column sums of dy.
#include "core/ops/affine_modulation.h"

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::affine_modulation_forward(T m, T scale, T shift, T y) {
  const std::int64_t n = m.shape[1];
  const Doubles s = load(scale), b = load(shift);
  Doubles out = load(m);
  for (std::int64_t i = 0; i < m.elements(); ++i) out[i] = b[i % n] + out[i] * (1 + s[i % n]);
  store(out, y);
}

void ReferenceBackend::affine_modulation_backward(T dy, T m, T scale, G dm, G dscale, G dshift) {
  const std::int64_t n = m.shape[1];
  const Doubles s = load(scale), in = load(m), d = load(dy);
  Doubles to_m(in.size()), to_scale(s.size(), 0.0), to_shift(s.size(), 0.0);
  for (std::int64_t i = 0; i < m.elements(); ++i) {
    to_m[i] = d[i] * (1 + s[i % n]);
    to_scale[i % n] += d[i] * in[i];
    to_shift[i % n] += d[i];
  }
  store(to_m, dm);
  store(to_scale, dscale);
  store(to_shift, dshift);
}

}  // namespace edt
