// A thread for each column: rows are few, as many as a batch has samples. Formulas:
// core/reference/affine_norm.cpp.
#include "core/cuda/kernels/affine_norm.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

template <class T>
__device__ T* element(const ColumnView& columns, std::int64_t row, std::int64_t column) {
  return static_cast<T*>(columns.data) + row * columns.stride + column;
}

template <class T>
__device__ float value_or_zero(const ColumnView& columns, std::int64_t row, std::int64_t column) {
  return columns.data == nullptr ? 0.0f : to_float(*element<T>(columns, row, column));
}

template <class T>
__device__ void add_to(const ColumnView& columns, std::int64_t row, std::int64_t column,
                       float value) {
  if (columns.data == nullptr) return;
  const float v[1] = {value};
  put<1>(element<T>(columns, row, column), v, true);
}

template <class T>
__global__ void __launch_bounds__(kThreads) fold_affine_forward(FoldAffineCall call) {
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (j >= call.width) return;
  const float w = to_float(static_cast<const T*>(call.weight)[j]);
  const float b = to_float(static_cast<const T*>(call.bias)[j]);
  for (std::int64_t row = 0; row < call.rows; ++row) {
    const float factor = 1 + value_or_zero<T>(call.scale, row, j);
    T* const out = static_cast<T*>(call.y) + 2 * row * call.width;
    out[j] = round_to<T>(fmaf(b, factor, value_or_zero<T>(call.shift, row, j)));
    out[call.width + j] = round_to<T>(fmaf(w, factor, -1.0f));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) fold_affine_backward(FoldAffineCall call) {
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (j >= call.width) return;
  const float w = to_float(static_cast<const T*>(call.weight)[j]);
  const float b = to_float(static_cast<const T*>(call.bias)[j]);
  float to_weight = 0, to_bias = 0;
  for (std::int64_t row = 0; row < call.rows; ++row) {
    const T* const d = static_cast<const T*>(call.dy) + 2 * row * call.width;
    const float of_shift = to_float(d[j]), of_scale = to_float(d[call.width + j]);
    const float factor = 1 + value_or_zero<T>(call.scale, row, j);
    to_weight = fmaf(of_scale, factor, to_weight);
    to_bias = fmaf(of_shift, factor, to_bias);
    add_to<T>(call.dshift, row, j, of_shift);
    add_to<T>(call.dscale, row, j, fmaf(of_scale, w, of_shift * b));
  }
  call.dweight[j] = call.accumulate[0] ? call.dweight[j] + to_weight : to_weight;
  call.dbias[j] = call.accumulate[1] ? call.dbias[j] + to_bias : to_bias;
}

unsigned blocks_of(const FoldAffineCall& call) {
  return static_cast<unsigned>(divide_up(call.width, kThreads));
}

}  // namespace

void launch_fold_affine_forward(cudaStream_t stream, const FoldAffineCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "fold_affine forward", blocks_of(call), kThreads}, fold_affine_forward<T>,
           call);
  });
}

void launch_fold_affine_backward(cudaStream_t stream, const FoldAffineCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "fold_affine backward", blocks_of(call), kThreads}, fold_affine_backward<T>,
           call);
  });
}

}  // namespace edt
