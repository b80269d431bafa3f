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

void ReferenceBackend::silu_gate_forward(T h, T y) {
  const auto n = static_cast<std::size_t>(y.shape[1]);
  const Doubles in = load(h);
  Doubles out(in.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t gate = i / n * 2 * n + i % n;
    out[i] = activate(Activation::kSilu, in[gate]) * in[gate + n];
  }
  store(out, y);
}

void ReferenceBackend::silu_gate_backward(T dy, T h, G dh) {
  const auto n = static_cast<std::size_t>(dy.shape[1]);
  const Doubles d = load(dy), in = load(h);
  Doubles out(in.size());
  for (std::size_t i = 0; i < d.size(); ++i) {
    const std::size_t gate = i / n * 2 * n + i % n;
    out[gate] = d[i] * in[gate + n] * activation_derivative(Activation::kSilu, in[gate]);
    out[gate + n] = d[i] * activate(Activation::kSilu, in[gate]);
  }
  store(out, dh);
}

void ReferenceBackend::add_forward(T a, T b, T y) {
  Doubles sum = load(a);
  const Doubles other = load(b);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
  store(sum, y);
}

}  // namespace edt
