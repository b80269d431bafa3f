// A thread owns an element of the result, or a channel of a sample for gradients of weights.
#include "core/cuda/kernels/token_convolution.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 128;
constexpr int kPlaces = 9;  // of a 3 x 3 kernel

// Channels along x, tokens along y, samples along z.
__device__ std::int64_t channel_of() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

// The token that place `tap` of token (i, j) reads; -1: outside.
__device__ int token_read(const TapCall& call, int i, int j, int tap) {
  const int row = i * call.stride + tap / 3 - 1, column = j * call.stride + tap % 3 - 1;
  const bool inside = row >= 0 && row < call.rows && column >= 0 && column < call.columns;
  return inside ? row * call.columns + column : -1;
}

// The token whose place `tap` reads token (i, j); -1: none.
__device__ int token_that_reads(const TapCall& call, int i, int j, int tap) {
  const int row = i + 1 - tap / 3, column = j + 1 - tap % 3;
  if (row < 0 || column < 0 || row % call.stride != 0 || column % call.stride != 0) return -1;
  const int to_row = row / call.stride, to_column = column / call.stride;
  const bool inside = to_row < call.to_rows && to_column < call.to_columns;
  return inside ? to_row * call.to_columns + to_column : -1;
}

template <class T>
__global__ void __launch_bounds__(kThreads) taps_forward(TapCall call) {
  const std::int64_t c = channel_of(), n = call.channels;
  if (c >= n) return;
  const int token = blockIdx.y, tokens = call.rows * call.columns;
  const int i = token / call.to_columns, j = token % call.to_columns;
  const T* const x = static_cast<const T*>(call.x);
  const T* const weight = static_cast<const T*>(call.weight);
  float sum = to_float(static_cast<const T*>(call.bias)[c]);
  for (int tap = 0; tap < kPlaces; ++tap) {
    const int from = token_read(call, i, j, tap);
    if (from < 0) continue;
    const std::int64_t row = blockIdx.z * static_cast<std::int64_t>(tokens) + from;
    if (weight == nullptr) {
      sum += to_float(x[(row * kPlaces + tap) * n + c]);
    } else {
      sum = fmaf(to_float(weight[c * kPlaces + tap]), to_float(x[row * n + c]), sum);
    }
  }
  const std::int64_t to = blockIdx.z * static_cast<std::int64_t>(call.to_rows) * call.to_columns;
  static_cast<T*>(call.y)[(to + token) * n + c] = round_to<T>(sum);
}

template <class T>
__global__ void __launch_bounds__(kThreads) taps_backward(TapCall call) {
  const std::int64_t c = channel_of(), n = call.channels;
  if (c >= n) return;
  const int token = blockIdx.y, tokens = call.rows * call.columns;
  const int i = token / call.columns, j = token % call.columns;
  const T* const weight = static_cast<const T*>(call.weight);
  const T* const dy = static_cast<const T*>(call.dy) +
                      blockIdx.z * static_cast<std::int64_t>(call.to_rows) * call.to_columns * n;
  const std::int64_t row = blockIdx.z * static_cast<std::int64_t>(tokens) + token;
  float sum[1] = {0};
  for (int tap = 0; tap < kPlaces; ++tap) {
    const int to = token_that_reads(call, i, j, tap);
    const float arrives = to < 0 ? 0.0f : to_float(dy[to * n + c]);
    if (weight == nullptr) {
      static_cast<T*>(call.dx)[(row * kPlaces + tap) * n + c] = round_to<T>(arrives);
    } else {
      sum[0] = fmaf(to_float(weight[c * kPlaces + tap]), arrives, sum[0]);
    }
  }
  if (weight != nullptr) put<1>(static_cast<T*>(call.dx) + row * n + c, sum, call.accumulate);
}

template <class T>
__global__ void __launch_bounds__(kThreads) tap_sums(TapCall call, float* weights, float* biases) {
  const std::int64_t c = channel_of(), n = call.channels;
  if (c >= n) return;
  const std::int64_t sample = blockIdx.z;
  const T* const x = static_cast<const T*>(call.x) + sample * call.rows * call.columns * n + c;
  const T* const dy =
      static_cast<const T*>(call.dy) + sample * call.to_rows * call.to_columns * n + c;
  float sums[kPlaces] = {}, plain = 0;
  for (int i = 0; i < call.to_rows; ++i) {
    for (int j = 0; j < call.to_columns; ++j) {
      const float d = to_float(dy[(i * call.to_columns + j) * n]);
      plain += d;
#pragma unroll
      for (int tap = 0; tap < kPlaces; ++tap) {
        const int from = token_read(call, i, j, tap);
        if (from >= 0) sums[tap] = fmaf(d, to_float(x[from * n]), sums[tap]);
      }
    }
  }
#pragma unroll
  for (int tap = 0; tap < kPlaces; ++tap) weights[(sample * n + c) * kPlaces + tap] = sums[tap];
  biases[sample * n + c] = plain;
}

dim3 tap_blocks(const TapCall& call, int tokens) {
  return {static_cast<unsigned>(divide_up(call.channels, kThreads)), static_cast<unsigned>(tokens),
          static_cast<unsigned>(call.batch)};
}

}  // namespace

void launch_taps(cudaStream_t stream, const TapCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch(
        {stream, "token convolution", tap_blocks(call, call.to_rows * call.to_columns), kThreads},
        taps_forward<T>, call);
  });
}

void launch_taps_backward(cudaStream_t stream, const TapCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "token convolution backward", tap_blocks(call, call.rows * call.columns),
            kThreads},
           taps_backward<T>, call);
  });
}

void launch_tap_sums(cudaStream_t stream, const TapCall& call, float* weights, float* biases) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "gradients of 3 x 3 kernels", tap_blocks(call, 1), kThreads}, tap_sums<T>, call,
           weights, biases);
  });
}

}  // namespace edt
