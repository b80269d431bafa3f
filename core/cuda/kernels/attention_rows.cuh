// What kernels of attention in float32 arithmetic share: eight threads to a row, each of which owns
// every eighth element of it.
#pragma once

#include "core/cuda/kernels/attention_plan.h"
#include "core/cuda/kernels/vector.cuh"

namespace edt::attention_rows {

inline constexpr int kRows = 16, kColumns = 32;  // of a tile of logits
inline constexpr int kThreads = 8 * kRows;
inline constexpr int kPerThread = kPlainHead / 8;  // elements of a row's result
inline constexpr int kPairs = kColumns / 8;        // logits of a thread

// Elements of a row in shared memory: odd, so that eight rows start in different banks.
__host__ __device__ inline int row_stride(int size) { return size | 1; }

struct Thread {
  int row = threadIdx.x / 8, part = threadIdx.x % 8;
};

// Rows [first, first + rows) of `size` elements as float32, zeros beyond the tokens.
template <class T>
__device__ void copy_rows(float* to, const T* from, std::int64_t stride, int first, int rows,
                          int tokens, int size) {
  for (int i = threadIdx.x; i < rows * size; i += kThreads) {
    const int row = i / size, column = i % size, token = first + row;
    to[row * row_stride(size) + column] =
        token < tokens ? to_float(from[token * stride + column]) : 0.0f;
  }
}

__device__ inline float dot(const float* a, const float* b, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum = fmaf(a[i], b[i], sum);
  return sum;
}

// Sums and maxima over the eight threads of a row, which are neighbours in a warp.
__device__ inline float row_sum(float x) {
#pragma unroll
  for (int offset = 4; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}
__device__ inline float row_max(float x) {
#pragma unroll
  for (int offset = 4; offset > 0; offset /= 2) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
  }
  return x;
}

// acc[i] += sum over the tile's columns of weights[column] * rows[column][part + 8 i]
__device__ inline void add_rows(float (&acc)[kPerThread], const float* weights, const float* rows,
                                int size, int part) {
  for (int j = 0; j < kColumns; ++j) {
    const float weight = weights[j];
    const float* row = rows + j * row_stride(size) + part;
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      if (part + 8 * i < size) acc[i] = fmaf(weight, row[8 * i], acc[i]);
    }
  }
}

// to[part + 8 i] (+)= factor * acc[i]
template <class T>
__device__ void write_row(T* to, const float (&acc)[kPerThread], float factor, int part, int size,
                          bool accumulate) {
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    if (part + 8 * i >= size) continue;
    const float value[1] = {factor * acc[i]};
    put<1>(to + part + 8 * i, value, accumulate);
  }
}

}  // namespace edt::attention_rows
