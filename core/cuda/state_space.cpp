#include "core/ops/state_space.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/state_space.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

StateSpaceCall state_space_call(const Tensor& a, const Tensor& b, const Tensor& c,
                                const Tensor& states, const TokenGrid& grid) {
  EDT_ASSERT(b.dtype == a.dtype && c.dtype == a.dtype);
  return {.dtype = element_of(a),
          .rows = static_cast<int>(grid.rows),
          .columns = static_cast<int>(grid.columns),
          .planes = static_cast<int>(b.shape[0]),
          .groups = static_cast<int>(b.shape[1]),
          .size = static_cast<int>(b.shape[2]),
          .outputs = static_cast<int>(c.shape[1]),
          .a = a.data,
          .b = b.data,
          .c = c.data,
          .states = states.as<float>()};
}

}  // namespace

void CudaBackend::ssm2d_kernel_forward(T a, T b, T c, T omega, Grid grid, T states, T kernel) {
  StateSpaceCall call = state_space_call(a, b, c, states, grid);
  call.kernel = kernel.as<float>();
  if (omega.defined()) {
    call.omega = omega.data;
    call.through = static_cast<int>(omega.elements());
  }
  launch_ssm2d_kernel_forward(stream(), call);
}

void CudaBackend::ssm2d_kernel_backward(T dkernel, T a, T b, T c, T states, Grid grid, G da, G db,
                                        G dc, G domega) {
  StateSpaceCall call = state_space_call(a, b, c, states, grid);
  call.kernel = dkernel.as<float>();
  call.arrives = scratch_.floats(ScratchSlot::kPartials, states.elements());
  call.da = da.tensor.as<float>();
  call.db = db.tensor.as<float>();
  call.dc = dc.tensor.as<float>();
  call.accumulate_a = da.accumulate;
  call.accumulate_b = db.accumulate;
  call.accumulate_c = dc.accumulate;
  if (domega.wanted()) {
    call.domega = domega.tensor.as<float>();
    call.through = static_cast<int>(domega.tensor.elements());
    call.accumulate_omega = domega.accumulate;
  }
  launch_ssm2d_kernel_backward(stream(), call);
}

}  // namespace edt
