#include "core/reference/activation_function.h"
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::activation_forward(Activation kind, T x, T y) {
  Doubles values = load(x);
  for (double& value : values) value = activate(kind, value);
  store(values, y);
}

void ReferenceBackend::activation_backward(Activation kind, T dy, T x, G dx) {
  const Doubles in = load(x);
  Doubles d = load(dy);
  for (std::size_t i = 0; i < d.size(); ++i) d[i] *= activation_derivative(kind, in[i]);
  store(d, dx);
}

void ReferenceBackend::add_forward(T a, T b, T y) {
  Doubles sum = load(a);
  const Doubles other = load(b);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
  store(sum, y);
}

}  // namespace edt
