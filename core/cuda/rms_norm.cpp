#include "core/ops/rms_norm.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/rms_norm.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

RmsRowsCall rms_rows_call(const Tensor& x, const Tensor& weight, const Tensor& factors) {
  EDT_ASSERT(weight.dtype == x.dtype);
  return {.dtype = element_of(x),
          .rows = x.shape[0],
          .columns = x.shape[1],
          .epsilon = kRmsEpsilon,
          .x = x.data,
          .weight = weight.data,
          .factors = factors.as<float>()};
}

}  // namespace

void CudaBackend::rms_norm_forward(T x, T weight, T y, T factors) {
  RmsRowsCall call = rms_rows_call(x, weight, factors);
  call.y = y.data;
  launch_rms_rows_forward(stream(), call);
}

void CudaBackend::rms_norm_backward(T dy, T x, T weight, T factors, G dx, G dweight) {
  RmsRowsCall call = rms_rows_call(x, weight, factors);
  call.dy = dy.data;
  launch_rms_rows_weight(stream(), call, dweight.tensor.as<float>(), dweight.accumulate);
  if (!dx.wanted()) return;
  call.y = dx.tensor.data;
  call.accumulate = dx.accumulate;
  launch_rms_rows_backward(stream(), call);
}

}  // namespace edt
