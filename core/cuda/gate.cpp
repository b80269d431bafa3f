#include "core/cuda/kernels/gate.h"
#include "core/cuda/backend.h"
#include "core/cuda/kernels/slices.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

GateCall call_of(const Tensor& x, const Columns& gate, const Tensor& h) {
  element_of(gate.tensor);
  EDT_ASSERT(gate.tensor.dtype == x.dtype && h.dtype == x.dtype);
  return {.dtype = element_of(x),
          .batch = h.shape[0],
          .tokens = h.shape[1],
          .width = h.shape[2],
          .x = x.data,
          .h = h.data,
          .gate = view_of(gate)};
}

}  // namespace

void CudaBackend::gate_residual_forward(T x, C gate, T h, T y) {
  GateCall call = call_of(x, gate, h);
  call.y = y.data;
  const RowPlan plan = forward_plan(call.tokens, call.width, gate_vectors(call));
  check_rows("gate_residual", plan, call.batch, call.width);
  launch_gate_forward(stream(), plan, call);
}

void CudaBackend::gate_residual_backward(T dy, C gate, T h, G dh, C dgate) {
  GateCall call = call_of(dy, gate, h);
  call.y = dh.tensor.data;
  call.accumulate = dh.accumulate;
  const RowPlan plan = backward_plan(call.batch, call.tokens, call.width, gate_vectors(call));
  check_rows("gate_residual", plan, call.batch, call.width);
  if (dgate.tensor.defined()) {
    call.partials = scratch_.floats(ScratchSlot::kPartials, call.batch * plan.slices * call.width);
  }
  launch_gate_backward(stream(), plan, call);
  if (!dgate.tensor.defined()) return;
  launch_add_slices(stream(), {.partials = call.partials,
                               .batch = call.batch,
                               .slices = plan.slices,
                               .width = call.width,
                               .to = {view_of(dgate)},
                               .dtype = element_of(dgate.tensor)});
}

}  // namespace edt
