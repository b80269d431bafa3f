// q = sign(w) where |w| > edge, else 0; value = a q.  dW = a dvalue.  da = sum of dvalue q.
#include "core/ops/ternary.h"

#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

Doubles signs_of(const Tensor& weight, const Tensor& sum, std::int64_t elements) {
  const double edge = ternary_edge(load(sum)[0], elements);
  Doubles q = load(weight);
  for (double& w : q) w = std::fabs(w) > edge ? std::copysign(1.0, w) : 0.0;
  return q;
}

}  // namespace

void ReferenceBackend::absolute_sum(T weight, T sum) {
  Doubles total{0.0};
  for (const double w : load(weight)) total[0] += std::fabs(w);
  store(total, sum);
}

void ReferenceBackend::ternary_quantize(T weight, T sum, Int elements, T scale, T value) {
  const double a = load(scale)[0];
  Doubles q = signs_of(weight, sum, elements);
  for (double& one : q) one *= a;
  store(q, value);
}

void ReferenceBackend::ternary_gradient(T dvalue, T weight, T sum, Int elements, T scale, G dweight,
                                        G dscale) {
  const double a = load(scale)[0];
  const Doubles q = signs_of(weight, sum, elements);
  Doubles d = load(dvalue), total{0.0};
  for (std::size_t i = 0; i < d.size(); ++i) {
    total[0] += d[i] * q[i];
    d[i] *= a;
  }
  store(d, dweight);
  store(total, dscale);
}

}  // namespace edt
