// Convolution of the tokens of a grid with kernels as large as it.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

struct GridConvolutionCall {
  DType dtype = DType::kFloat32;  // of x, y and their gradients
  std::int64_t batch = 0;
  int rows = 0, columns = 0, channels = 0, directions = 0;
  const void* x = nullptr;
  const float* kernel = nullptr;  // [cells, directions * channels]
  void* y = nullptr;
  bool reversed = false;  // each direction the other way: y is dx of x = dy
  bool accumulate = false;
};
void launch_grid_convolution(cudaStream_t stream, const GridConvolutionCall& call);
// dkernel (+)= the sum over samples of dy x
void launch_grid_correlation(cudaStream_t stream, const GridConvolutionCall& call, const void* dy,
                             float* dkernel, bool accumulate);

}  // namespace edt
