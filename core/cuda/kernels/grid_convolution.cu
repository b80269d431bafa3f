// Kernels as large as the grid, channel by channel: a thread for each element of the result.
#include "core/cuda/kernels/grid_convolution.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 128;

__device__ std::int64_t channel_of() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

// Which way a direction reads: core/ops/state_space.h, KernelWay.
struct Way {
  bool up, left;

  __device__ Way(const GridConvolutionCall& call, int direction) {
    up = call.directions == 2 ? direction == 1 : direction % 2 == 1;
    left = call.directions == 2 ? direction == 1 : direction >= 2;
    if (call.reversed) {
      up = !up;
      left = !left;
    }
  }
};

// A thread for each channel of a token.
template <class T>
__global__ void __launch_bounds__(kThreads) convolve(GridConvolutionCall call) {
  const std::int64_t c = channel_of();
  if (c >= call.channels) return;
  const int i = static_cast<int>(blockIdx.y) / call.columns, j = blockIdx.y % call.columns;
  const std::int64_t tokens = static_cast<std::int64_t>(call.rows) * call.columns;
  const T* const x = static_cast<const T*>(call.x) + blockIdx.z * tokens * call.channels + c;
  const std::int64_t outputs = static_cast<std::int64_t>(call.directions) * call.channels;
  float sum[1] = {0};
  for (int direction = 0; direction < call.directions; ++direction) {
    const Way way(call, direction);
    const float* const kernel =
        call.kernel + direction * static_cast<std::int64_t>(call.channels) + c;
    const int rows = way.up ? call.rows - i : i + 1, columns = way.left ? call.columns - j : j + 1;
    for (int a = 0; a < rows; ++a) {
      const std::int64_t row = static_cast<std::int64_t>(way.up ? i + a : i - a) * call.columns;
      for (int b = 0; b < columns; ++b) {
        const std::int64_t from = row + (way.left ? j + b : j - b);
        sum[0] = fmaf(kernel[(static_cast<std::int64_t>(a) * call.columns + b) * outputs],
                      to_float(x[from * call.channels]), sum[0]);
      }
    }
  }
  put<1>(static_cast<T*>(call.y) + (blockIdx.z * tokens + blockIdx.y) * call.channels + c, sum,
         call.accumulate);
}

// A thread for each channel of a cell of a direction's kernel: samples in their order.
template <class T>
__global__ void __launch_bounds__(kThreads)
    correlate(GridConvolutionCall call, const T* dy, float* dkernel, bool accumulate) {
  const std::int64_t c = channel_of();
  if (c >= call.channels) return;
  const int a = static_cast<int>(blockIdx.y) / call.columns, b = blockIdx.y % call.columns;
  const int direction = blockIdx.z;
  const Way way(call, direction);
  const std::int64_t tokens = static_cast<std::int64_t>(call.rows) * call.columns;
  const T* const x = static_cast<const T*>(call.x);
  float sum = 0;
  for (std::int64_t sample = 0; sample < call.batch; ++sample) {
    const std::int64_t first = sample * tokens;
    for (int i = way.up ? 0 : a; i < (way.up ? call.rows - a : call.rows); ++i) {
      const std::int64_t row = static_cast<std::int64_t>(way.up ? i + a : i - a) * call.columns;
      for (int j = way.left ? 0 : b; j < (way.left ? call.columns - b : call.columns); ++j) {
        const std::int64_t to = first + static_cast<std::int64_t>(i) * call.columns + j;
        const std::int64_t from = first + row + (way.left ? j + b : j - b);
        sum =
            fmaf(to_float(dy[to * call.channels + c]), to_float(x[from * call.channels + c]), sum);
      }
    }
  }
  const std::int64_t at =
      (static_cast<std::int64_t>(blockIdx.y) * call.directions + direction) * call.channels + c;
  dkernel[at] = accumulate ? dkernel[at] + sum : sum;
}

}  // namespace

void launch_grid_convolution(cudaStream_t stream, const GridConvolutionCall& call) {
  const dim3 blocks(static_cast<unsigned>(divide_up(call.channels, kThreads)),
                    static_cast<unsigned>(call.rows * call.columns),
                    static_cast<unsigned>(call.batch));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "grid convolution", blocks, kThreads}, convolve<T>, call);
  });
}

void launch_grid_correlation(cudaStream_t stream, const GridConvolutionCall& call, const void* dy,
                             float* dkernel, bool accumulate) {
  const dim3 blocks(static_cast<unsigned>(divide_up(call.channels, kThreads)),
                    static_cast<unsigned>(call.rows * call.columns),
                    static_cast<unsigned>(call.directions));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "grid convolution, kernel's gradient", blocks, kThreads}, correlate<T>, call,
           static_cast<const T*>(dy), dkernel, accumulate);
  });
}

}  // namespace edt
