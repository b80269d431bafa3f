// h = W1 x + b1, y = W2 gelu(h) + b2.
// dg = dy W2, dh = dg gelu'(h), dx = dh W1, dW2 = dy^T gelu(h), dW1 = dh^T x, db = column sums.
#include "core/reference/activation_function.h"
#include "core/reference/kernels.h"
#include "core/reference/matrix.h"

namespace edt {
namespace {

constexpr Activation kGelu = Activation::kGeluTanh;

}  // namespace

void ReferenceBackend::mlp_forward(T x, const MlpWeights& weights, T hidden, T y) {
  const std::int64_t m = x.shape[0], d = x.shape[1], f = weights.fc1.shape[0];
  Doubles h = multiply(load(x), transposed(load(weights.fc1), f, d), m, d, f);
  add_to_rows(h, load(weights.fc1_bias), m, f);
  if (hidden.defined()) store(h, hidden);
  for (double& value : h) value = activate(kGelu, value);
  Doubles result = multiply(h, transposed(load(weights.fc2), d, f), m, f, d);
  if (weights.fc2_bias.defined()) add_to_rows(result, load(weights.fc2_bias), m, d);
  store(result, y);
}

void ReferenceBackend::mlp_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                                    const MlpGrads& grads) {
  const std::int64_t m = x.shape[0], d = x.shape[1], f = weights.fc1.shape[0];
  const Doubles dout = load(dy), h = load(hidden);
  Doubles g = h;
  for (double& value : g) value = activate(kGelu, value);
  store(multiply(transposed(dout, m, d), g, d, m, f), grads.fc2);
  store(column_sums(dout, m, d), grads.fc2_bias);

  Doubles dh = multiply(dout, load(weights.fc2), m, d, f);
  for (std::size_t i = 0; i < dh.size(); ++i) dh[i] *= activation_derivative(kGelu, h[i]);
  store(multiply(transposed(dh, m, f), load(x), f, m, d), grads.fc1);
  store(column_sums(dh, m, f), grads.fc1_bias);
  if (dx.wanted()) store(multiply(dh, load(weights.fc1), m, f, d), dx);
}

}  // namespace edt
