#include "core/cuda/kernels/embedding.h"
#include "core/cuda/backend.h"
#include "core/cuda/typed.h"

namespace edt {

void CudaBackend::timestep_features(T t, T out) {
  check_batch("timestep_features", t.shape[0]);
  launch_timestep_features(stream(), element_of(out), t.as<float>(), out.data, out.shape[0],
                           out.shape[1]);
}

void CudaBackend::label_forward(T labels, T table, T out) {
  EDT_ASSERT(table.dtype == out.dtype);
  launch_label_rows(stream(), element_of(table), labels.as<std::int32_t>(), table.data, out.data,
                    out.shape[0], out.shape[1]);
}

void CudaBackend::label_backward(T dy, T labels, G dtable) {
  if (!dtable.accumulate) zero(dtable.tensor);
  launch_label_gradients(stream(), element_of(dy), dy.data, labels.as<std::int32_t>(),
                         dtable.tensor.as<float>(), dy.shape[0], dy.shape[1]);
}

}  // namespace edt
