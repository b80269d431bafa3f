// The two-dimensional state-space layer: kernels out of a recurrence.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

// Tables [planes, groups or outputs, size]; states [cells, planes, groups, size].
struct StateSpaceCall {
  DType dtype = DType::kFloat32;  // of a, b, c and omega
  int rows = 0, columns = 0;
  int planes = 0, groups = 0, size = 0, outputs = 0, through = 0;  // through: elements of omega
  const void *a = nullptr, *b = nullptr, *c = nullptr, *omega = nullptr;
  float* states = nullptr;
  float* kernel = nullptr;   // [cells, outputs]; backward: its gradient
  float* arrives = nullptr;  // of states' shape: working memory of backward
  float *da = nullptr, *db = nullptr, *dc = nullptr, *domega = nullptr;
  bool accumulate_a = false, accumulate_b = false, accumulate_c = false, accumulate_omega = false;
};
void launch_ssm2d_kernel_forward(cudaStream_t stream, const StateSpaceCall& call);
void launch_ssm2d_kernel_backward(cudaStream_t stream, const StateSpaceCall& call);

}  // namespace edt
