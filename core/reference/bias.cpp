// y = x + b.  dx = dy.  db = column sums of dy.
#include "core/reference/kernels.h"
#include "core/reference/matrix.h"

namespace edt {

void ReferenceBackend::add_bias_forward(T x, T bias, T y) {
  Doubles result = load(x);
  add_to_rows(result, load(bias), x.shape[0], x.shape[1]);
  store(result, y);
}

void ReferenceBackend::add_bias_backward(T dy, G dbias) {
  store(column_sums(load(dy), dy.shape[0], dy.shape[1]), dbias);
}

}  // namespace edt
