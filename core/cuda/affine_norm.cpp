// The norm itself is in modulated_norm.cpp.
#include "core/ops/affine_norm.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/affine_norm.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

FoldAffineCall fold_affine_call(const Tensor& weight, const Tensor& bias, const Tensor& rows,
                                const Columns& scale) {
  EDT_ASSERT(weight.dtype == rows.dtype && bias.dtype == rows.dtype);
  return {.dtype = element_of(rows),
          .rows = rows.shape[0],
          .width = weight.shape[0],
          .weight = weight.data,
          .bias = bias.data,
          .scale = view_of(scale)};
}

}  // namespace

void CudaBackend::fold_affine_forward(T weight, T bias, C shift, C scale, T y) {
  FoldAffineCall call = fold_affine_call(weight, bias, y, scale);
  call.shift = view_of(shift);
  call.y = y.data;
  launch_fold_affine_forward(stream(), call);
}

void CudaBackend::fold_affine_backward(T dy, T weight, T bias, C scale, C dshift, C dscale,
                                       G dweight, G dbias) {
  FoldAffineCall call = fold_affine_call(weight, bias, dy, scale);
  call.dy = dy.data;
  call.dshift = view_of(dshift);
  call.dscale = view_of(dscale);
  call.dweight = dweight.tensor.as<float>();
  call.dbias = dbias.tensor.as<float>();
  call.accumulate[0] = dweight.accumulate;
  call.accumulate[1] = dbias.accumulate;
  launch_fold_affine_backward(stream(), call);
}

}  // namespace edt
