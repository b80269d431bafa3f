// A gated residual and the norm of its sum (core/ops/gate_norm.h): norm.h's kernels on rows that
// they add up first.
#pragma once

#include "core/cuda/kernels/norm.h"

namespace edt {

// Of one part. Forward: x[0], h, gate give `sum`, whose norm is y. Backward: x[0] is the sum, dx[0]
// its gradient; partials [batch, slices, 3, width], the third sums of h dx.
struct GateNormCall : NormCall {
  const void* h = nullptr;
  ColumnView gate;
  void* sum = nullptr;  // forward
  void* dh = nullptr;   // backward, or null
  bool accumulate_h = false;
};

bool gate_norm_vectors(const GateNormCall& call);

void launch_gate_norm_forward(cudaStream_t stream, const RowPlan& plan, const GateNormCall& call,
                              float epsilon);
void launch_gate_norm_backward(cudaStream_t stream, const RowPlan& plan, const GateNormCall& call);

}  // namespace edt
