#include "core/cuda/kernels/gate_norm.h"
#include "core/cuda/backend.h"
#include "core/cuda/kernels/slices.h"
#include "core/cuda/norm_calls.h"

namespace edt {
namespace {

GateNormCall gate_norm_call(const Tensor& x, const Gated& branch, const NormTerms& norm) {
  element_of(x);
  for (const Tensor& of : {branch.h, branch.gate.tensor, norm.scale.tensor}) {
    EDT_ASSERT(of.dtype == x.dtype);
  }
  EDT_ASSERT(!norm.weight.defined() || norm.weight.dtype == x.dtype);
  EDT_ASSERT(!norm.shift.tensor.defined() || norm.shift.tensor.dtype == x.dtype);
  GateNormCall call;
  call.dtype = x.dtype;
  call.batch = x.shape[0];
  call.tokens = x.shape[1];
  call.width = x.shape[2];
  call.x[0] = x.data;
  call.h = branch.h.data;
  call.gate = view_of(branch.gate);
  call.weight = norm.weight.data;
  call.shift = view_of(norm.shift);
  call.scale = view_of(norm.scale);
  return call;
}

}  // namespace

void CudaBackend::gate_norm_forward(T x, const Gated& branch, const NormTerms& norm, T sum, T y,
                                    T stats) {
  GateNormCall call = gate_norm_call(x, branch, norm);
  call.sum = sum.data;
  call.y = y.data;
  call.stats = stats.as<float>();
  const RowPlan plan = forward_plan(call.tokens, call.width, gate_norm_vectors(call));
  check_norm("gate_norm", plan, call);
  launch_gate_norm_forward(stream(), plan, call, static_cast<float>(kNormEpsilon));
}

void CudaBackend::gate_norm_backward(T dy, T sum, T stats, const Gated& branch,
                                     const NormTerms& norm, G dsum, const GatedGrads& dbranch,
                                     const NormTermGrads& dnorm) {
  EDT_ASSERT(dsum.wanted());
  constexpr int kGroups = 3;
  GateNormCall call = gate_norm_call(sum, branch, norm);
  call.dy = dy.data;
  call.stats = stats.as<float>();
  call.dx[0] = dsum.tensor.data;
  call.accumulate[0] = dsum.accumulate;
  call.dh = dbranch.h.tensor.data;
  call.accumulate_h = dbranch.h.accumulate;
  const RowPlan plan = backward_plan(call.batch, call.tokens, call.width, gate_norm_vectors(call));
  check_norm("gate_norm", plan, call);
  const ColumnView dgate = view_of(dbranch.gate), dshift = view_of(dnorm.shift),
                   dscale = view_of(dnorm.scale);
  const bool of_norm = dshift.data != nullptr || dscale.data != nullptr || dnorm.weight.wanted();
  if (of_norm || dgate.data != nullptr) {
    call.partials =
        scratch_.floats(ScratchSlot::kPartials, call.batch * plan.slices * kGroups * call.width);
  }
  launch_gate_norm_backward(stream(), plan, call);
  if (call.partials == nullptr) return;
  SliceSums sums{.partials = call.partials,
                 .batch = call.batch,
                 .slices = plan.slices,
                 .width = call.width,
                 .groups = kGroups,
                 .to = {dshift, dscale, dgate},
                 .dtype = call.dtype};
  if (norm.weight.defined()) {
    sums.to[0] = sums.to[1] = {};
  }
  launch_add_slices(stream(), sums);
  if (!norm.weight.defined()) return;
  launch_rms_sums(stream(), {.dtype = call.dtype,
                             .partials = call.partials,
                             .batch = call.batch,
                             .slices = plan.slices,
                             .width = call.width,
                             .groups = kGroups,
                             .weight = norm.weight.data,
                             .scale = call.scale,
                             .dshift = dshift,
                             .dscale = dscale,
                             .dweight = dnorm.weight.tensor.as<float>(),
                             .accumulate = dnorm.weight.accumulate});
}

}  // namespace edt
