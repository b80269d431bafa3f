#include "core/cuda/kernels/tokens.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 128;

// Threads of kVec columns along x, rows along y, samples along z.
dim3 grid_of(std::int64_t width, int vec, std::int64_t rows, std::int64_t batch) {
  return dim3(static_cast<unsigned>(divide_up(divide_up(width, vec), kThreads)),
              static_cast<unsigned>(rows), static_cast<unsigned>(batch));
}

template <int kVec, class T>
__global__ void __launch_bounds__(kThreads) move_rows(MoveRows call) {
  const std::int64_t column =
      (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kVec;
  if (column >= call.width) return;
  const std::int64_t row = blockIdx.z * call.rows + blockIdx.y;
  const std::int32_t index = call.index[row];
  float v[kVec] = {};
  if (index >= 0) {
    load<kVec>(static_cast<const T*>(call.from) +
                   (blockIdx.z * call.from_rows + index) * call.width + column,
               v);
  } else if (call.fill != nullptr) {
    load<kVec>(static_cast<const T*>(call.fill) + column, v);
  }
  put<kVec>(static_cast<T*>(call.to) + row * call.width + column, v, call.accumulate);
}

// A block for one row.
template <class T>
__global__ void __launch_bounds__(kThreads) select_rows(SelectRows call) {
  const std::int64_t row = blockIdx.x;
  const auto* from = static_cast<const T*>(call.places[row] >= 0 ? call.a : call.b);
  for (std::int64_t c = threadIdx.x; c < call.width; c += kThreads) {
    const std::int64_t at = row * call.width + c;
    const float value[1] = {from == nullptr ? 0.0f : to_float(from[at])};
    put<1>(static_cast<T*>(call.y) + at, value, call.accumulate);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    dropped_sums(const T* dy, const std::int32_t* places, float* sums, std::int64_t rows,
                 std::int64_t width) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (c >= width) return;
  const std::int64_t first = blockIdx.y * rows;
  float sum = 0;
  for (std::int64_t row = first; row < first + rows; ++row) {
    if (places[row] < 0) sum += to_float(dy[row * width + c]);
  }
  sums[blockIdx.y * width + c] = sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_samples(const T* from, float* to, std::int64_t batch, std::int64_t count, bool accumulate) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  float sum = 0;
#pragma unroll 8
  for (std::int64_t b = 0; b < batch; ++b) sum += to_float(from[b * count + i]);
  to[i] = accumulate ? to[i] + sum : sum;
}

}  // namespace

void launch_move_rows(cudaStream_t stream, const MoveRows& call) {
  const bool vectors = call.width % kVector == 0 && aligned16(call.from) && aligned16(call.to) &&
                       aligned16(call.fill);
  with_element(call.dtype, [&]<class T>(T) {
    const dim3 grid = grid_of(call.width, vectors ? kVector : 1, call.rows, call.batch);
    launch({stream, "move rows", grid, kThreads}, vectors ? move_rows<kVector, T> : move_rows<1, T>,
           call);
  });
}

void launch_select_rows(cudaStream_t stream, const SelectRows& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "select rows", dim3(static_cast<unsigned>(call.rows)), kThreads},
           select_rows<T>, call);
  });
}

void launch_dropped_sums(cudaStream_t stream, DType dtype, const void* dy,
                         const std::int32_t* places, float* sums, std::int64_t batch,
                         std::int64_t rows, std::int64_t width) {
  with_element(dtype, [&]<class T>(T) {
    launch({stream, "sum of dropped rows", grid_of(width, 1, batch, 1), kThreads}, dropped_sums<T>,
           static_cast<const T*>(dy), places, sums, rows, width);
  });
}

void launch_sum_samples(cudaStream_t stream, DType dtype, const void* from, float* to,
                        std::int64_t batch, std::int64_t count, bool accumulate) {
  with_element(dtype, [&]<class T>(T) {
    launch({stream, "sum over samples", grid_of(count, 1, 1, 1), kThreads}, sum_samples<T>,
           static_cast<const T*>(from), to, batch, count, accumulate);
  });
}

}  // namespace edt
