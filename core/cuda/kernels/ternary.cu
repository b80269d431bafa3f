// Bound by memory: each kernel reads the weight once. A block sums what lies at its distance, then
// one block adds the sums in order.
#include "core/cuda/kernels/ternary.h"

#include <algorithm>

#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 1024;

// Half of mean |W| + 1e-6, as core/ops/ternary.h has it.
__device__ float edge_of(const TernaryCall& call) {
  return static_cast<float>(
      (static_cast<double>(*call.sum) / static_cast<double>(call.elements) + 1e-6) / 2);
}

__device__ float signed_one(float w, float edge) {
  return fabsf(w) > edge ? copysignf(1.0f, w) : 0.0f;
}

// The sum over the grid's elements of f(i), of each block into its place.
template <class F>
__device__ void sum_blocks(std::int64_t n, float* partials, F&& f) {
  __shared__ __align__(16) float shared[32];
  float sum[1] = {0};
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < n;
       i += step) {
    sum[0] += f(i);
  }
  block_sum(sum, shared);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum[0];
}

template <class T>
__global__ void __launch_bounds__(kThreads) magnitudes(TernaryCall call, float* partials) {
  const T* const weight = static_cast<const T*>(call.weight);
  sum_blocks(call.n, partials, [=](std::int64_t i) { return fabsf(to_float(weight[i])); });
}

template <class T>
__global__ void __launch_bounds__(kThreads) quantize(TernaryCall call) {
  const float edge = edge_of(call), scale = to_float(*static_cast<const T*>(call.scale));
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < call.n;
       i += step) {
    const float w = to_float(static_cast<const T*>(call.weight)[i]);
    static_cast<T*>(call.value)[i] = round_to<T>(scale * signed_one(w, edge));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) gradient(TernaryCall call, float* partials) {
  const float edge = edge_of(call), scale = to_float(*static_cast<const T*>(call.scale));
  const T* const weight = static_cast<const T*>(call.weight);
  sum_blocks(call.n, partials, [=](std::int64_t i) {
    const float d = call.dvalue[i], dw = scale * d;
    call.dweight[i] = call.accumulate ? call.dweight[i] + dw : dw;
    return d * signed_one(to_float(weight[i]), edge);
  });
}

__global__ void __launch_bounds__(kThreads)
    add_blocks(const float* partials, std::int64_t blocks, float* sum, bool accumulate) {
  __shared__ double shared[kThreads];
  double own = 0;
  for (std::int64_t i = threadIdx.x; i < blocks; i += kThreads) own += partials[i];
  const double total = block_total<kThreads>(own, shared);
  if (threadIdx.x > 0) return;
  *sum = static_cast<float>(total) + (accumulate ? *sum : 0.0f);
}

unsigned grid_of(std::int64_t n) { return static_cast<unsigned>(ternary_blocks(n)); }

void add_up(cudaStream_t stream, std::int64_t n, float* partials, float* sum, bool accumulate) {
  launch({stream, "sum of a weight", 1, kThreads}, add_blocks, partials, ternary_blocks(n), sum,
         accumulate);
}

}  // namespace

std::int64_t ternary_blocks(std::int64_t n) {
  return std::clamp<std::int64_t>(divide_up(n, 8 * kThreads), 1, kMostBlocks);
}

void launch_absolute_sum(cudaStream_t stream, const TernaryCall& call, float* partials,
                         float* sum) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "absolute_sum", grid_of(call.n), kThreads}, magnitudes<T>, call, partials);
  });
  add_up(stream, call.n, partials, sum, false);
}

void launch_ternary_quantize(cudaStream_t stream, const TernaryCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "ternary_quantize", grid_of(call.n), kThreads}, quantize<T>, call);
  });
}

void launch_ternary_gradient(cudaStream_t stream, const TernaryCall& call, float* partials,
                             float* dscale, bool accumulate) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "ternary_gradient", grid_of(call.n), kThreads}, gradient<T>, call, partials);
  });
  add_up(stream, call.n, partials, dscale, accumulate);
}

}  // namespace edt
