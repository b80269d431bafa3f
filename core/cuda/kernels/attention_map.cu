// A block for each sample, whose warps share its tokens. Formulas:
// core/reference/attention_map.cpp.
#include "core/cuda/kernels/attention_map.h"

#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;

template <class T>
__global__ void __launch_bounds__(kThreads)
    map_forward(AttentionMapCall call, float* map, float* norms) {
  __shared__ float shared[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * call.tokens;
  float squares[1] = {0};
  for (int t = warp; t < call.tokens; t += kWarps) {
    const T* x = static_cast<const T*>(call.x) + (first + t) * call.width;
    float sum = 0;
    for (int c = lane; c < call.width; c += 32) {
      const float value = to_float(x[c]);
      sum += value * value;
    }
    const float mean = warp_sum(sum) / static_cast<float>(call.width);
    if (lane == 0) {
      map[first + t] = mean;
      squares[0] += mean * mean;
    }
  }
  block_sum<1>(squares, shared);
  const float norm = fmaxf(sqrtf(squares[0]), call.floor);
  for (int t = threadIdx.x; t < call.tokens; t += kThreads) map[first + t] /= norm;
  if (threadIdx.x == 0) norms[blockIdx.x] = norm;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    map_backward(AttentionMapCall call, const float* dmap, const float* map, const float* norms,
                 T* dx, bool accumulate) {
  __shared__ float shared[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * call.tokens;
  float along[1] = {0};
  for (int t = threadIdx.x; t < call.tokens; t += kThreads) {
    along[0] += map[first + t] * dmap[first + t];
  }
  block_sum<1>(along, shared);
  const float norm = norms[blockIdx.x];
  if (norm <= call.floor) along[0] = 0;
  for (int t = warp; t < call.tokens; t += kWarps) {
    const float slope = dmap[first + t] - map[first + t] * along[0];
    const float factor = 2 * slope / (norm * static_cast<float>(call.width));
    const std::int64_t row = (first + t) * call.width;
    const T* x = static_cast<const T*>(call.x) + row;
    for (int c = lane; c < call.width; c += 32) {
      const float value[1] = {factor * to_float(x[c])};
      put<1>(dx + row + c, value, accumulate);
    }
  }
}

}  // namespace

void launch_attention_map_forward(cudaStream_t stream, const AttentionMapCall& call, float* map,
                                  float* norms) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "attention_map forward", static_cast<unsigned>(call.batch), kThreads},
           map_forward<T>, call, map, norms);
  });
}

void launch_attention_map_backward(cudaStream_t stream, const AttentionMapCall& call,
                                   const float* dmap, const float* map, const float* norms,
                                   void* dx, bool accumulate) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "attention_map backward", static_cast<unsigned>(call.batch), kThreads},
           map_backward<T>, call, dmap, map, norms, static_cast<T*>(dx), accumulate);
  });
}

}  // namespace edt
