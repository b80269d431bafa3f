// RMS norm of rows with a weight.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct RmsRowsCall {
  DType dtype = DType::kFloat32;  // of all but the factors and dweight
  std::int64_t rows = 0, columns = 0;
  double epsilon = 0;
  const void* x = nullptr;
  const void* weight = nullptr;  // [columns]
  const void* dy = nullptr;
  void* y = nullptr;  // backward: dx, or null
  bool accumulate = false;
  float* factors = nullptr;  // [rows], written by forward
};

void launch_rms_rows_forward(cudaStream_t stream, const RmsRowsCall& call);
void launch_rms_rows_backward(cudaStream_t stream, const RmsRowsCall& call);
// dweight [columns] (+)= sum over rows
void launch_rms_rows_weight(cudaStream_t stream, const RmsRowsCall& call, float* dweight,
                            bool accumulate);

}  // namespace edt
