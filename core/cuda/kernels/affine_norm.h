// Weight and bias of a layer norm, folded into the modulations of samples.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct FoldAffineCall {
  DType dtype = DType::kFloat32;  // of all but the gradients of weight and bias
  std::int64_t rows = 0, width = 0;
  const void* weight = nullptr;  // [width]
  const void* bias = nullptr;
  ColumnView shift, scale;  // without data: 0
  void* y = nullptr;        // [rows, 2 width], forward

  const void* dy = nullptr;   // backward
  ColumnView dshift, dscale;  // added to; without data: not wanted
  float* dweight = nullptr;   // [width]
  float* dbias = nullptr;
  bool accumulate[2] = {false, false};  // to them
};

void launch_fold_affine_forward(cudaStream_t stream, const FoldAffineCall& call);
void launch_fold_affine_backward(cudaStream_t stream, const FoldAffineCall& call);

}  // namespace edt
