#include "core/cuda/backend.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/kernels/slices.h"
#include "core/cuda/typed.h"

namespace edt {

void CudaBackend::add_bias_forward(T x, T bias, T y) {
  EDT_ASSERT(bias.dtype == x.dtype && y.dtype == x.dtype);
  launch_add_rows(stream(), element_of(x), x.data, {bias.data}, y.data, x.shape[0], x.shape[1]);
}

void CudaBackend::add_bias_backward(T dy, G dbias) {
  const std::int64_t rows = dy.shape[0], columns = dy.shape[1];
  float* partials = scratch_.floats(ScratchSlot::kPartials, column_sum_slices(rows) * columns);
  launch_column_sums(stream(), element_of(dy), dy.data, rows, columns, partials,
                     dbias.tensor.as<float>(), dbias.accumulate);
}

}  // namespace edt
