// Rows of a batch's modulations: a block for each row, a thread for each column of the weight's
// gradient. Formulas: core/reference/rms_norm.cpp.
#include "core/cuda/kernels/rms_norm.h"

#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) rms_rows_forward(RmsRowsCall call) {
  __shared__ __align__(16) float shared[32];
  const std::int64_t at = blockIdx.x * call.columns;
  const T* const x = static_cast<const T*>(call.x) + at;
  float sum[1] = {0};
  for (std::int64_t j = threadIdx.x; j < call.columns; j += kThreads) {
    sum[0] = fmaf(to_float(x[j]), to_float(x[j]), sum[0]);
  }
  block_sum(sum, shared);
  const float factor = static_cast<float>(
      1 / sqrt(static_cast<double>(sum[0]) / static_cast<double>(call.columns) + call.epsilon));
  if (threadIdx.x == 0) call.factors[blockIdx.x] = factor;
  for (std::int64_t j = threadIdx.x; j < call.columns; j += kThreads) {
    const float w = to_float(static_cast<const T*>(call.weight)[j]);
    static_cast<T*>(call.y)[at + j] = round_to<T>(to_float(x[j]) * factor * w);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) rms_rows_backward(RmsRowsCall call) {
  __shared__ __align__(16) float shared[32];
  const std::int64_t at = blockIdx.x * call.columns;
  const T* const x = static_cast<const T*>(call.x) + at;
  const T* const dy = static_cast<const T*>(call.dy) + at;
  const T* const weight = static_cast<const T*>(call.weight);
  const float factor = call.factors[blockIdx.x];
  float sum[1] = {0};
  for (std::int64_t j = threadIdx.x; j < call.columns; j += kThreads) {
    sum[0] = fmaf(to_float(weight[j]) * to_float(dy[j]), to_float(x[j]) * factor, sum[0]);
  }
  block_sum(sum, shared);
  const float mean = sum[0] / static_cast<float>(call.columns);
  for (std::int64_t j = threadIdx.x; j < call.columns; j += kThreads) {
    const float normed = to_float(x[j]) * factor;
    float dx[1] = {factor * (to_float(weight[j]) * to_float(dy[j]) - normed * mean)};
    put<1>(static_cast<T*>(call.y) + at + j, dx, call.accumulate);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    rms_rows_weight(RmsRowsCall call, float* dweight, bool accumulate) {
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (j >= call.columns) return;
  float sum = 0;
  for (std::int64_t i = 0; i < call.rows; ++i) {
    const float normed =
        to_float(static_cast<const T*>(call.x)[i * call.columns + j]) * call.factors[i];
    sum = fmaf(to_float(static_cast<const T*>(call.dy)[i * call.columns + j]), normed, sum);
  }
  dweight[j] = accumulate ? dweight[j] + sum : sum;
}

}  // namespace

void launch_rms_rows_forward(cudaStream_t stream, const RmsRowsCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "rms_norm forward", static_cast<unsigned>(call.rows), kThreads},
           rms_rows_forward<T>, call);
  });
}

void launch_rms_rows_backward(cudaStream_t stream, const RmsRowsCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "rms_norm backward", static_cast<unsigned>(call.rows), kThreads},
           rms_rows_backward<T>, call);
  });
}

void launch_rms_rows_weight(cudaStream_t stream, const RmsRowsCall& call, float* dweight,
                            bool accumulate) {
  const auto blocks = static_cast<unsigned>(divide_up(call.columns, kThreads));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "rms_norm backward", blocks, kThreads}, rms_rows_weight<T>, call, dweight,
           accumulate);
  });
}

}  // namespace edt
