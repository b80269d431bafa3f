// A modulation that blocks share, scaled and shifted by tables of a block.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct AffineModulationCall {
  DType dtype = DType::kFloat32;  // of all but the gradients of tables
  std::int64_t rows = 0, columns = 0;
  const void* m = nullptr;
  const void* scale = nullptr;  // [columns]
  const void* shift = nullptr;  // [columns]; forward alone
  const void* dy = nullptr;
  void* y = nullptr;  // backward: dm, or null
  bool accumulate = false;
  float* dscale = nullptr;  // [columns] (+)= sums over rows
  float* dshift = nullptr;
  bool accumulate_tables = false;
};

void launch_affine_modulation_forward(cudaStream_t stream, const AffineModulationCall& call);
void launch_affine_modulation_backward(cudaStream_t stream, const AffineModulationCall& call);

}  // namespace edt
