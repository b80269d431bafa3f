// h = W1 x + b1, y = W2 f(h) + b2, where f is gelu or SwiGLU: silu(first half) * second half.
// df = dy W2, dh = df f'(h), dx = dh W1, dW2 = dy^T f(h), dW1 = dh^T x, db = column sums.
#include "core/reference/activation_function.h"
#include "core/reference/kernels.h"
#include "core/reference/matrix.h"

namespace edt {
namespace {

struct GeluForm {
  static constexpr std::int64_t kRowsPerUnit = 1;

  static Doubles value(const Doubles& h, std::int64_t, std::int64_t) {
    Doubles y = h;
    for (double& value : y) value = activate(Activation::kGeluTanh, value);
    return y;
  }
  static Doubles gradient(const Doubles& dy, const Doubles& h, std::int64_t, std::int64_t) {
    Doubles dh = dy;
    for (std::size_t i = 0; i < dh.size(); ++i) {
      dh[i] *= activation_derivative(Activation::kGeluTanh, h[i]);
    }
    return dh;
  }
};

struct SwigluForm {
  static constexpr std::int64_t kRowsPerUnit = 2;

  static Doubles value(const Doubles& h, std::int64_t rows, std::int64_t units) {
    Doubles y(static_cast<std::size_t>(rows * units));
    for (std::int64_t i = 0; i < rows * units; ++i) {
      const std::int64_t gate = i / units * 2 * units + i % units;
      y[i] = activate(Activation::kSilu, h[gate]) * h[gate + units];
    }
    return y;
  }
  static Doubles gradient(const Doubles& dy, const Doubles& h, std::int64_t rows,
                          std::int64_t units) {
    Doubles dh(h.size());
    for (std::int64_t i = 0; i < rows * units; ++i) {
      const std::int64_t gate = i / units * 2 * units + i % units;
      dh[gate] = dy[i] * h[gate + units] * activation_derivative(Activation::kSilu, h[gate]);
      dh[gate + units] = dy[i] * activate(Activation::kSilu, h[gate]);
    }
    return dh;
  }
};

template <class Form>
void forward(const Tensor& x, const MlpWeights& weights, const Tensor& hidden,
             const Tensor& activated, const Tensor& y) {
  const std::int64_t m = x.shape[0], d = x.shape[1], f = weights.fc1.shape[0];
  const std::int64_t units = f / Form::kRowsPerUnit;
  Doubles h = multiply(load(x), transposed(load(weights.fc1), f, d), m, d, f);
  add_to_rows(h, load(weights.fc1_bias), m, f);
  if (hidden.defined()) store(h, hidden);
  const Doubles value = Form::value(h, m, units);
  if (activated.defined()) store(value, activated);
  Doubles result = multiply(value, transposed(load(weights.fc2), d, units), m, units, d);
  if (weights.fc2_bias.defined()) add_to_rows(result, load(weights.fc2_bias), m, d);
  store(result, y);
}

template <class Form>
void backward(const Tensor& dy, const Tensor& x, const Tensor& hidden, const Tensor& activated,
              const MlpWeights& weights, const GradTarget& dx, const MlpGrads& grads) {
  const std::int64_t m = x.shape[0], d = x.shape[1], f = weights.fc1.shape[0];
  const std::int64_t units = f / Form::kRowsPerUnit;
  const Doubles dout = load(dy), h = load(hidden);
  const Doubles value = activated.defined() ? load(activated) : Form::value(h, m, units);
  store(multiply(transposed(dout, m, d), value, d, m, units), grads.fc2);
  store(column_sums(dout, m, d), grads.fc2_bias);

  const Doubles dh = Form::gradient(multiply(dout, load(weights.fc2), m, d, units), h, m, units);
  store(multiply(transposed(dh, m, f), load(x), f, m, d), grads.fc1);
  store(column_sums(dh, m, f), grads.fc1_bias);
  if (dx.wanted()) store(multiply(dh, load(weights.fc1), m, f, d), dx);
}

}  // namespace

void ReferenceBackend::mlp_forward(T x, const MlpWeights& weights, const MlpHidden& hidden, T y) {
  forward<GeluForm>(x, weights, hidden.before, hidden.after, y);
}

void ReferenceBackend::mlp_backward(T dy, T x, const MlpHidden& hidden, const MlpWeights& weights,
                                    G dx, const MlpGrads& grads) {
  backward<GeluForm>(dy, x, hidden.before, hidden.after, weights, dx, grads);
}

void ReferenceBackend::swiglu_forward(T x, const MlpWeights& weights, T hidden, T y) {
  forward<SwigluForm>(x, weights, hidden, {}, y);
}

void ReferenceBackend::swiglu_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                                       const MlpGrads& grads) {
  backward<SwigluForm>(dy, x, hidden, {}, weights, dx, grads);
}

}  // namespace edt
