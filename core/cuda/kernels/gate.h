// Gated residual: y = x + gate[b] h.
#pragma once

#include "core/cuda/kernels/launch.h"
#include "core/cuda/kernels/rows.h"

namespace edt {

struct GateCall {
  DType dtype = DType::kFloat32;
  std::int64_t batch = 0, tokens = 0, width = 0;
  const void* x = nullptr;  // forward: x; backward: dy
  const void* h = nullptr;
  ColumnView gate;
  void* y = nullptr;  // forward: y; backward: dh, or null
  bool accumulate = false;
  float* partials = nullptr;  // backward: [batch, slices, width], sums of h dy; or null
};

// Rows of eight columns at a time?
bool gate_vectors(const GateCall& call);

void launch_gate_forward(cudaStream_t stream, const RowPlan& plan, const GateCall& call);
void launch_gate_backward(cudaStream_t stream, const RowPlan& plan, const GateCall& call);

}  // namespace edt
