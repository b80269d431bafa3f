// y = x W^T + b + positions.  dx = dy W.  dW = dy^T x.  db = column sums of dy.
#include "core/reference/kernels.h"
#include "core/reference/matrix.h"

namespace edt {

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

}  // namespace edt
