#include "core/cuda/backend.h"
#include "core/cuda/kernels/picture.h"
#include "core/cuda/typed.h"

namespace edt {

void CudaBackend::pool(T x, const PoolForm& form, T y) {
  launch_pool(stream(),
              {.dtype = element_of(x),
               .kind = form.kind,
               .height = x.shape[1],
               .width = x.shape[2],
               .channels = x.shape[3],
               .kernel_rows = form.kernel_rows,
               .kernel_columns = form.kernel_columns,
               .stride = form.stride,
               .padding = form.padding,
               .out_height = y.shape[1],
               .out_width = y.shape[2],
               .elements = y.elements()},
              x.data, y.data);
}

}  // namespace edt
