#include "core/cuda/kernels/slices.h"

#include <algorithm>

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 128;

template <class T>
__global__ void __launch_bounds__(kThreads) add_slices(SliceSums s) {
  wait_for_earlier_kernels();
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int group = blockIdx.y;
  // By comparison: an index at run time would copy the arguments to local memory.
  const ColumnView columns = group == 0 ? s.to[0] : group == 1 ? s.to[1] : s.to[2];
  if (c >= s.width || columns.data == nullptr) return;
  for (std::int64_t b = blockIdx.z; b < s.batch; b += gridDim.z) {
    const float* from = s.partials + (b * s.slices * s.groups + group) * s.width + c;
    float sum = 0;
    for (std::int64_t i = 0; i < s.slices; ++i) sum += from[i * s.groups * s.width];
    T* to = static_cast<T*>(columns.data) + b * columns.stride + c;
    *to = round_to<T>(to_float(*to) + sum);
  }
}

// Each thread kVec columns, 512 bytes of bf16 a warp, each block row of the grid a slice. A column
// is added up in the same order whatever kVec is.
template <class T, int kVec>
__global__ void __launch_bounds__(kThreads)
    slice_columns(const T* x, std::int64_t rows, std::int64_t columns, std::int64_t rows_per_slice,
                  float* partials) {
  wait_for_earlier_kernels();
  const std::int64_t c = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kVec;
  if (c >= columns) return;
  const std::int64_t begin = blockIdx.y * rows_per_slice;
  const std::int64_t end = min(begin + rows_per_slice, rows);
  float sums[kVec] = {};
#pragma unroll 8
  for (std::int64_t r = begin; r < end; ++r) {
    float v[kVec];
    load<kVec>(x + r * columns + c, v);
#pragma unroll
    for (int i = 0; i < kVec; ++i) sums[i] += v[i];
  }
  store<kVec>(partials + blockIdx.y * columns + c, sums);
}

__global__ void __launch_bounds__(kThreads)
    add_column_slices(const float* partials, std::int64_t slices, std::int64_t columns, float* sums,
                      bool accumulate) {
  wait_for_earlier_kernels();
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (c >= columns) return;
  float sum = 0;
#pragma unroll 8
  for (std::int64_t i = 0; i < slices; ++i) sum += partials[i * columns + c];
  sums[c] = accumulate ? sums[c] + sum : sum;
}

unsigned blocks_of(std::int64_t n) { return static_cast<unsigned>(divide_up(n, kThreads)); }

}  // namespace

void launch_add_slices(cudaStream_t stream, const SliceSums& sums) {
  const dim3 grid(blocks_of(sums.width), static_cast<unsigned>(sums.groups),
                  static_cast<unsigned>(std::min<std::int64_t>(sums.batch, 65535)));
  with_element(sums.dtype, [&]<class T>(T) {
    launch_programmatic({stream, "adding partial sums", grid, kThreads}, add_slices<T>, sums);
  });
}

// Some 128 slices of at least 32 rows.
std::int64_t column_sum_slices(std::int64_t rows) {
  const std::int64_t rows_per_slice = std::max<std::int64_t>(32, divide_up(rows, 128));
  return divide_up(rows, rows_per_slice);
}

void launch_column_sums(cudaStream_t stream, DType dtype, const void* x, std::int64_t rows,
                        std::int64_t columns, float* partials, float* sums, bool accumulate) {
  const std::int64_t slices = column_sum_slices(rows);
  const std::int64_t rows_per_slice = divide_up(rows, slices);
  const bool in_vectors = columns % kVector == 0 && aligned16(x);
  const dim3 grid(blocks_of(in_vectors ? columns / kVector : columns),
                  static_cast<unsigned>(slices));
  with_element(dtype, [&]<class T>(T) {
    launch_programmatic({stream, "column sums", grid, kThreads},
                        in_vectors ? slice_columns<T, kVector> : slice_columns<T, 1>,
                        static_cast<const T*>(x), rows, columns, rows_per_slice, partials);
  });
  launch_programmatic({stream, "column sums", blocks_of(columns), kThreads}, add_column_slices,
                      partials, slices, columns, sums, accumulate);
}

}  // namespace edt
