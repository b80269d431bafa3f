#include "core/ops/affine_modulation.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/affine_modulation.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

AffineModulationCall affine_call(const Tensor& m, const Tensor& scale) {
  EDT_ASSERT(scale.dtype == m.dtype);
  return {.dtype = element_of(m),
          .rows = m.shape[0],
          .columns = m.shape[1],
          .m = m.data,
          .scale = scale.data};
}

}  // namespace

void CudaBackend::affine_modulation_forward(T m, T scale, T shift, T y) {
  AffineModulationCall call = affine_call(m, scale);
  call.shift = shift.data;
  call.y = y.data;
  launch_affine_modulation_forward(stream(), call);
}

void CudaBackend::affine_modulation_backward(T dy, T m, T scale, G dm, G dscale, G dshift) {
  EDT_ASSERT(dscale.accumulate == dshift.accumulate);
  AffineModulationCall call = affine_call(m, scale);
  call.dy = dy.data;
  call.dscale = dscale.tensor.as<float>();
  call.dshift = dshift.tensor.as<float>();
  call.accumulate_tables = dscale.accumulate;
  if (dm.wanted()) call.y = dm.tensor.data;
  call.accumulate = dm.accumulate;
  launch_affine_modulation_backward(stream(), call);
}

}  // namespace edt
