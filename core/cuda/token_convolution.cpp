#include "core/ops/token_convolution.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/token_convolution.h"
#include "core/cuda/kernels/tokens.h"
#include "core/cuda/typed.h"
#include "core/ops/token_group_norm.h"

namespace edt {
namespace {

// Of x [batch, tokens of the grid, ...] and what a kernel with that stride makes of it.
TapCall tap_call(const Tensor& y, const TokenGrid& grid, std::int64_t stride) {
  check_batch("token_convolution", y.shape[0]);
  check_batch("token_convolution", grid.tokens());  // tokens are blocks too
  const TokenGrid to = strided(grid, stride);
  return {.dtype = element_of(y),
          .batch = y.shape[0],
          .channels = y.shape[2],
          .rows = static_cast<int>(grid.rows),
          .columns = static_cast<int>(grid.columns),
          .stride = static_cast<int>(stride),
          .to_rows = static_cast<int>(to.rows),
          .to_columns = static_cast<int>(to.columns)};
}

TokenGroupNormCall group_norm_call(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                   const Tensor& stats) {
  check_batch("token_group_norm", x.shape[0]);
  EDT_ASSERT(weight.dtype == x.dtype && bias.dtype == x.dtype);
  return {.dtype = element_of(x),
          .batch = x.shape[0],
          .tokens = x.shape[1],
          .channels = static_cast<int>(x.shape[2]),
          .groups = static_cast<int>(stats.shape[1]),
          .epsilon = static_cast<float>(kGroupNormEpsilon),
          .slope = static_cast<float>(kLeakySlope),
          .x = x.data,
          .weight = weight.data,
          .bias = bias.data,
          .stats = stats.as<float>()};
}

}  // namespace

void CudaBackend::gather_taps_forward(T z, T bias, Grid grid, T y) {
  TapCall call = tap_call(y, grid, 1);
  call.x = z.data;
  call.bias = bias.data;
  call.y = y.data;
  launch_taps(stream(), call);
}

void CudaBackend::gather_taps_backward(T dy, Grid grid, T dz) {
  TapCall call = tap_call(dy, grid, 1);
  call.dy = dy.data;
  call.dx = dz.data;
  launch_taps_backward(stream(), call);
}

void CudaBackend::depthwise_forward(T x, T weight, T bias, Grid grid, std::int64_t stride, T y) {
  TapCall call = tap_call(y, grid, stride);
  call.x = x.data;
  call.weight = weight.data;
  call.bias = bias.data;
  call.y = y.data;
  launch_taps(stream(), call);
}

void CudaBackend::depthwise_backward(T dy, T x, T weight, Grid grid, std::int64_t stride, G dx,
                                     G dweight, G dbias) {
  TapCall call = tap_call(dy, grid, stride);
  call.x = x.data;
  call.weight = weight.data;
  call.dy = dy.data;
  if (dx.wanted()) {
    call.dx = dx.tensor.data;
    call.accumulate = dx.accumulate;
    launch_taps_backward(stream(), call);
  }
  const std::int64_t weights = weight.elements();
  float* const sums =
      scratch_.floats(ScratchSlot::kPartials, call.batch * (weights + call.channels));
  float* const plain = sums + call.batch * weights;
  launch_tap_sums(stream(), call, sums, plain);
  launch_sum_samples(stream(), DType::kFloat32, sums, dweight.tensor.as<float>(), call.batch,
                     weights, dweight.accumulate);
  launch_sum_samples(stream(), DType::kFloat32, plain, dbias.tensor.as<float>(), call.batch,
                     call.channels, dbias.accumulate);
}

void CudaBackend::token_group_norm_forward(T x, T weight, T bias, T stats, T y) {
  TokenGroupNormCall call = group_norm_call(x, weight, bias, stats);
  call.y = y.data;
  launch_token_group_norm(stream(), call);
}

void CudaBackend::token_group_norm_backward(T dy, T x, T weight, T bias, T stats, G dx, G dweight,
                                            G dbias) {
  TokenGroupNormCall call = group_norm_call(x, weight, bias, stats);
  call.dy = dy.data;
  float* const plain = scratch_.floats(ScratchSlot::kPartials, 2 * call.batch * call.channels);
  float* const with_n = plain + call.batch * call.channels;
  launch_group_norm_sums(stream(), call, plain, with_n);
  launch_sum_samples(stream(), DType::kFloat32, with_n, dweight.tensor.as<float>(), call.batch,
                     call.channels, dweight.accumulate);
  launch_sum_samples(stream(), DType::kFloat32, plain, dbias.tensor.as<float>(), call.batch,
                     call.channels, dbias.accumulate);
  if (!dx.wanted()) return;
  call.y = dx.tensor.data;
  call.accumulate = dx.accumulate;
  launch_group_norm_input(stream(), call, plain, with_n);
}

}  // namespace edt
