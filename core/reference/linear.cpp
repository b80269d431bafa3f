// y = x W^T + b + positions.  dx = dy W.  dW = dy^T x.  db = column sums of dy. The concatenated
// form has x = [a, b].
#include "core/reference/kernels.h"
#include "core/reference/matrix.h"

namespace edt {
namespace {

// Columns [begin, end) of x [m, n]
Doubles columns(const Doubles& x, std::int64_t m, std::int64_t n, std::int64_t begin,
                std::int64_t end) {
  Doubles part;
  for (std::int64_t i = 0; i < m; ++i) {
    part.insert(part.end(), x.begin() + i * n + begin, x.begin() + i * n + end);
  }
  return part;
}

}  // namespace

void ReferenceBackend::linear_forward(T x, T weight, T bias, T positions, T y) {
  const std::int64_t m = x.shape[0], k = x.shape[1], n = weight.shape[0];
  Doubles result = multiply(load(x), transposed(load(weight), n, k), m, k, n);
  if (bias.defined()) add_to_rows(result, load(bias), m, n);
  if (positions.defined()) {
    const Doubles table = load(positions);
    for (std::int64_t i = 0; i < m * n; ++i) result[i] += table[i % positions.elements()];
  }
  store(result, y);
}

void ReferenceBackend::linear_backward_input(T dy, T weight, G dx) {
  const std::int64_t m = dy.shape[0], n = weight.shape[0], k = weight.shape[1];
  store(multiply(load(dy), load(weight), m, n, k), dx);
}

void ReferenceBackend::linear_backward_weight(T dy, T x, G dweight, G dbias) {
  const std::int64_t m = dy.shape[0], n = dy.shape[1], k = x.shape[1];
  const Doubles d = load(dy);
  if (dweight.wanted()) store(multiply(transposed(d, m, n), load(x), n, m, k), dweight);
  if (dbias.wanted()) store(column_sums(d, m, n), dbias);
}

void ReferenceBackend::concat_linear_forward(T a, T b, T weight, T bias, T y) {
  const std::int64_t m = a.shape[0], n = weight.shape[0], k = weight.shape[1];
  Doubles result = multiply(concatenated(a, b), transposed(load(weight), n, k), m, k, n);
  add_to_rows(result, load(bias), m, n);
  store(result, y);
}

void ReferenceBackend::concat_linear_backward_input(T dy, T weight, G da, G db) {
  const std::int64_t m = dy.shape[0], n = weight.shape[0], k = weight.shape[1];
  const Doubles dx = multiply(load(dy), load(weight), m, n, k);
  const std::int64_t ka = da.wanted() ? da.tensor.shape[1] : k - db.tensor.shape[1];
  if (da.wanted()) store(columns(dx, m, k, 0, ka), da);
  if (db.wanted()) store(columns(dx, m, k, ka, k), db);
}

void ReferenceBackend::concat_linear_backward_weight(T dy, T a, T b, G dweight, G dbias) {
  const std::int64_t m = dy.shape[0], n = dy.shape[1], k = a.shape[1] + b.shape[1];
  const Doubles d = load(dy);
  store(multiply(transposed(d, m, n), concatenated(a, b), n, m, k), dweight);
  store(column_sums(d, m, n), dbias);
}

}  // namespace edt
