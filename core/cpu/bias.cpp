#include "core/cpu/column_sums.h"
#include "core/cpu/kernels.h"

namespace edt {

void CpuBackend::add_bias_forward(T x, T bias, T y) {
  EDT_ASSERT(x.dtype == y.dtype && bias.dtype == y.dtype);
  const Matrix from(x), to(y);
  const Span b{bias.data, bias.dtype};
  parallel_ranges(to.rows, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin * to.columns; at < end * to.columns; at += to.columns) {
      add(from.span.from(at), b, to.span.from(at), to.columns);
    }
  });
}

void CpuBackend::add_bias_backward(T dy, G dbias) {
  column_sums(scratch_, dy, dbias.tensor.as<float>(), dbias.accumulate);
}

}  // namespace edt
