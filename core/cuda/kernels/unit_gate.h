// Gates of units and tokens, and the share of what they leave open.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

// `batch` rows of logits, `rows` rows of gates, which have `lead` columns more.
struct UnitGateCall {
  DType dtype = DType::kFloat32;  // of logits and their gradient
  std::int64_t batch = 0, rows = 0, units = 0, lead = 0;
  const void* logits = nullptr;
  const float* draws = nullptr;  // or null; from the first of this gate on
  std::int64_t draw_columns = 0;
  float tau = 1;  // backward alone, as what follows
  const float* dgates = nullptr;
  void* dlogits = nullptr;
  bool accumulate = false;
};

void launch_unit_gate_forward(cudaStream_t stream, const UnitGateCall& call, float* gates);
void launch_unit_gate_backward(cudaStream_t stream, const UnitGateCall& call);

// Gates of one kind [rows, columns], and their gradient or null.
struct ShareGates {
  std::int64_t columns = 0;
  const float* gates = nullptr;
  float* gradient = nullptr;
  bool accumulate = false;
};
struct UnitShareCall {
  std::int64_t batch = 0, rows = 0;
  float attention = 0, mlp = 0;
  ShareGates heads, hidden, tokens;
};

// share [batch] += of this block
void launch_unit_share_forward(cudaStream_t stream, const UnitShareCall& call, float* share);
void launch_unit_share_backward(cudaStream_t stream, const UnitShareCall& call,
                                const float* dshare);

// penalty [1], losses [batch] of share [batch]
void launch_share_penalty_forward(cudaStream_t stream, const float* share, std::int64_t batch,
                                  const float* target, float* losses, float* penalty);
void launch_share_penalty_backward(cudaStream_t stream, const float* dpenalty, const float* share,
                                   std::int64_t batch, const float* target, float* dshare,
                                   bool accumulate);

}  // namespace edt
