#include "core/cuda/kernels/grid_convolution.h"
#include "core/cuda/backend.h"
#include "core/cuda/typed.h"
#include "core/ops/state_space.h"

namespace edt {
namespace {

GridConvolutionCall grid_convolution_call(const Tensor& x, const Tensor& kernel,
                                          const TokenGrid& grid) {
  check_batch("grid_convolution", x.shape[0]);
  check_batch("grid_convolution", grid.tokens());  // tokens are blocks too
  return {.dtype = element_of(x),
          .batch = x.shape[0],
          .rows = static_cast<int>(grid.rows),
          .columns = static_cast<int>(grid.columns),
          .channels = static_cast<int>(x.shape[2]),
          .directions = static_cast<int>(kernel.shape[1] / x.shape[2]),
          .x = x.data,
          .kernel = kernel.as<float>()};
}

}  // namespace

void CudaBackend::grid_convolution_forward(T x, T kernel, Grid grid, T y) {
  GridConvolutionCall call = grid_convolution_call(x, kernel, grid);
  call.y = y.data;
  launch_grid_convolution(stream(), call);
}

void CudaBackend::grid_convolution_backward(T dy, T x, T kernel, Grid grid, G dx, G dkernel) {
  if (dx.wanted()) {
    GridConvolutionCall call = grid_convolution_call(dy, kernel, grid);
    call.y = dx.tensor.data;
    call.reversed = true;
    call.accumulate = dx.accumulate;
    launch_grid_convolution(stream(), call);
  }
  if (!dkernel.wanted()) return;
  launch_grid_correlation(stream(), grid_convolution_call(x, kernel, grid), dy.data,
                          dkernel.tensor.as<float>(), dkernel.accumulate);
}

}  // namespace edt
