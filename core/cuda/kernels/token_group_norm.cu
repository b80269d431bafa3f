// A block for each group of a sample; for sums over tokens a thread for each channel of one.
// Formulas: core/reference/token_group_norm.cpp.
#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/token_convolution.h"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

// A group's elements, in the order of its tokens: f(element of [batch, tokens, channels], channel)
template <class F>
__device__ void for_each_of_group(const TokenGroupNormCall& call, F f) {
  const int size = call.channels / call.groups;
  const std::int64_t sample = blockIdx.x / call.groups;
  const int first = static_cast<int>(blockIdx.x % call.groups) * size;
  for (std::int64_t i = threadIdx.x; i < call.tokens * size; i += kThreads) {
    const int c = first + static_cast<int>(i % size);
    f((sample * call.tokens + i / size) * call.channels + c, c);
  }
}

__device__ float group_count(const TokenGroupNormCall& call) {
  return static_cast<float>(call.tokens * (call.channels / call.groups));
}

template <class T>
__device__ float element(const void* rows, std::int64_t i) {
  return to_float(static_cast<const T*>(rows)[i]);
}

template <class T>
__global__ void __launch_bounds__(kThreads) group_norm_forward(TokenGroupNormCall call) {
  __shared__ __align__(16) float shared[2][32];
  float sum[1] = {0};
  for_each_of_group(call, [&](std::int64_t i, int) { sum[0] += element<T>(call.x, i); });
  block_sum(sum, shared[0]);
  const float mean = sum[0] / group_count(call);
  sum[0] = 0;
  for_each_of_group(call, [&](std::int64_t i, int) {
    const float d = element<T>(call.x, i) - mean;
    sum[0] = fmaf(d, d, sum[0]);
  });
  block_sum(sum, shared[1]);
  const float factor = 1 / sqrtf(sum[0] / group_count(call) + call.epsilon);
  if (threadIdx.x == 0) {
    call.stats[2 * blockIdx.x] = mean;
    call.stats[2 * blockIdx.x + 1] = factor;
  }
  for_each_of_group(call, [&](std::int64_t i, int c) {
    const float n = (element<T>(call.x, i) - mean) * factor;
    const float p = fmaf(n, element<T>(call.weight, c), element<T>(call.bias, c));
    static_cast<T*>(call.y)[i] = round_to<T>(p > 0 ? p : call.slope * p);
  });
}

// n, and the gradient before the leaky ReLU.
struct Normed {
  float n, gradient;
};

template <class T>
__device__ Normed normed(const TokenGroupNormCall& call, const float* stats, std::int64_t i,
                         int c) {
  const float n = (element<T>(call.x, i) - stats[0]) * stats[1];
  const float p = fmaf(n, element<T>(call.weight, c), element<T>(call.bias, c));
  const float dy = element<T>(call.dy, i);
  return {n, p > 0 ? dy : call.slope * dy};
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    group_norm_sums(TokenGroupNormCall call, float* plain, float* with_n) {
  const int c = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (c >= call.channels) return;
  const std::int64_t sample = blockIdx.y;
  const int group = c / (call.channels / call.groups);
  const float* const stats = call.stats + 2 * (sample * call.groups + group);
  float a = 0, b = 0;
  for (std::int64_t t = 0; t < call.tokens; ++t) {
    const Normed of = normed<T>(call, stats, (sample * call.tokens + t) * call.channels + c, c);
    a += of.gradient;
    b = fmaf(of.gradient, of.n, b);
  }
  plain[sample * call.channels + c] = a;
  with_n[sample * call.channels + c] = b;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    group_norm_input(TokenGroupNormCall call, const float* plain, const float* with_n) {
  __shared__ __align__(16) float shared[64];
  const int size = call.channels / call.groups;
  const std::int64_t sample = blockIdx.x / call.groups;
  const int first = static_cast<int>(blockIdx.x % call.groups) * size;
  float sums[2] = {0, 0};
  for (int c = first + static_cast<int>(threadIdx.x); c < first + size; c += kThreads) {
    const float w = element<T>(call.weight, c);
    sums[0] = fmaf(w, plain[sample * call.channels + c], sums[0]);
    sums[1] = fmaf(w, with_n[sample * call.channels + c], sums[1]);
  }
  block_sum(sums, shared);
  const float* const stats = call.stats + 2 * blockIdx.x;
  const float mean = sums[0] / group_count(call), product = sums[1] / group_count(call);
  for_each_of_group(call, [&](std::int64_t i, int c) {
    const Normed of = normed<T>(call, stats, i, c);
    const float g = of.gradient * element<T>(call.weight, c);
    const float dx[1] = {stats[1] * (g - mean - of.n * product)};
    put<1>(static_cast<T*>(call.y) + i, dx, call.accumulate);
  });
}

}  // namespace

void launch_token_group_norm(cudaStream_t stream, const TokenGroupNormCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch(
        {stream, "group norm of tokens", static_cast<unsigned>(call.batch * call.groups), kThreads},
        group_norm_forward<T>, call);
  });
}

void launch_group_norm_sums(cudaStream_t stream, const TokenGroupNormCall& call, float* plain,
                            float* with_n) {
  const dim3 blocks(static_cast<unsigned>(divide_up(call.channels, kThreads)),
                    static_cast<unsigned>(call.batch));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "group norm of tokens, sums", blocks, kThreads}, group_norm_sums<T>, call,
           plain, with_n);
  });
}

void launch_group_norm_input(cudaStream_t stream, const TokenGroupNormCall& call,
                             const float* plain, const float* with_n) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "group norm of tokens, backward",
            static_cast<unsigned>(call.batch * call.groups), kThreads},
           group_norm_input<T>, call, plain, with_n);
  });
}

}  // namespace edt
