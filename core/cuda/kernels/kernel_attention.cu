// A block adds up the state of a head over its tokens, in their order; other blocks take some
// tokens of a head each, with the state in shared memory. Formulas:
// core/reference/kernel_attention.cpp.
#include "core/cuda/kernels/kernel_attention.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;
constexpr int kTokens = 16;  // in shared memory at once

// First element of a token of head blockIdx.y % heads of sample blockIdx.y / heads.
__device__ std::int64_t row_of(const KernelAttentionCall& call, std::int64_t tokens,
                               std::int64_t token) {
  const std::int64_t sample = blockIdx.y / call.heads, head = blockIdx.y % call.heads;
  return ((sample * tokens + token) * call.heads + head) * call.size;
}

template <class T>
__device__ float at(const void* rows, std::int64_t element) {
  return to_float(static_cast<const T*>(rows)[element]);
}

// f(token within the tile, element of a head) for each element of a tile, over the threads.
template <class F>
__device__ void for_each_element(int tokens, int size, F f) {
  for (int i = threadIdx.x; i < tokens * size; i += kThreads) f(i / size, i % size);
}

// sums [size, size + 1] = sum over tokens of f(left)_i right_j. Forward: left = k, right = (v, 1).
// Backward: left = q, right = (dy / m, dm).
template <class T, bool kBackward>
__global__ void __launch_bounds__(kThreads) sum_state(KernelAttentionCall call) {
  const int size = call.size, width = size + 1;
  float* const sums = reinterpret_cast<float*>(dynamic_shared());
  float* const left = sums + size * width;
  float* const right = left + kTokens * size;
  const std::int64_t tokens = kBackward ? call.queries : call.keys;
  for (int i = threadIdx.x; i < size * width; i += kThreads) sums[i] = 0;
  for (std::int64_t first = 0; first < tokens; first += kTokens) {
    const int count = static_cast<int>(min(static_cast<std::int64_t>(kTokens), tokens - first));
    __syncthreads();
    for_each_element(count, size, [&](int t, int i) {
      const std::int64_t row = row_of(call, tokens, first + t) + i;
      left[t * size + i] = fmaxf(0.0f, at<T>(kBackward ? call.q : call.k, row));
      float value = at<T>(kBackward ? call.dy : call.v, row);
      if (kBackward) value *= call.quotients[(blockIdx.y * tokens + first + t) * 2];
      right[t * width + i] = value;
    });
    for (int t = threadIdx.x; t < count; t += kThreads) {
      right[t * width + size] =
          kBackward ? call.quotients[(blockIdx.y * tokens + first + t) * 2 + 1] : 1.0f;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < size * width; i += kThreads) {
      float sum = sums[i];
      for (int t = 0; t < count; ++t) {
        sum = fmaf(left[t * size + i / width], right[t * width + i % width], sum);
      }
      sums[i] = sum;
    }
  }
  float* const to = (kBackward ? call.dstate : call.state) + blockIdx.y * size * width;
  for (int i = threadIdx.x; i < size * width; i += kThreads) to[i] = sums[i];
}

// The state of this head in shared memory; behind it there is room for a tile.
__device__ float* load_state(const float* states, int size) {
  float* const state = reinterpret_cast<float*>(dynamic_shared());
  const int count = size * (size + 1);
  for (int i = threadIdx.x; i < count; i += kThreads) state[i] = states[blockIdx.y * count + i];
  return state;
}

__device__ float dot(const float* a, const float* b, int stride, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum = fmaf(a[i], b[i * stride], sum);
  return sum;
}

// Some queries of a head: y, or dq and the quotients.
template <class T, bool kBackward>
__global__ void __launch_bounds__(kThreads) each_query(KernelAttentionCall call) {
  const int size = call.size, width = size + 1;
  const float* const state = load_state(call.state, size);
  float* const query = const_cast<float*>(state) + size * width;
  float* const below = query + kTokens * size;  // 1 / m, and dm behind them
  float* const above = below + 2 * kTokens;     // dn
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kTokens;
  const int count = static_cast<int>(min(static_cast<std::int64_t>(kTokens), call.queries - first));
  for_each_element(count, size, [&](int t, int i) {
    query[t * size + i] = fmaxf(0.0f, at<T>(call.q, row_of(call, call.queries, first + t) + i));
  });
  __syncthreads();
  for (int t = threadIdx.x; t < count; t += kThreads) {
    below[t] = 1 / (dot(query + t * size, state + size, width, size) + call.epsilon);
    if (!kBackward) continue;
    const std::int64_t row = row_of(call, call.queries, first + t);
    float sum = 0;
    for (int j = 0; j < size; ++j) sum = fmaf(at<T>(call.dy, row + j), at<T>(call.y, row + j), sum);
    below[kTokens + t] = -sum * below[t];
    float* const to = call.quotients + (blockIdx.y * call.queries + first + t) * 2;
    to[0] = below[t];
    to[1] = below[kTokens + t];
  }
  __syncthreads();
  if (!kBackward) {
    for_each_element(count, size, [&](int t, int j) {
      static_cast<T*>(call.y)[row_of(call, call.queries, first + t) + j] =
          round_to<T>(dot(query + t * size, state + j, width, size) * below[t]);
    });
    return;
  }
  if (call.dq == nullptr) return;
  for_each_element(count, size, [&](int t, int j) {
    above[t * size + j] = at<T>(call.dy, row_of(call, call.queries, first + t) + j) * below[t];
  });
  __syncthreads();
  for_each_element(count, size, [&](int t, int i) {
    const float arrives = fmaf(state[i * width + size], below[kTokens + t],
                               dot(above + t * size, state + i * width, 1, size));
    const float dq[1] = {query[t * size + i] > 0 ? arrives : 0.0f};
    put<1>(static_cast<T*>(call.dq) + row_of(call, call.queries, first + t) + i, dq,
           call.accumulate_q);
  });
}

// Some keys of a head: dk and dv.
template <class T>
__global__ void __launch_bounds__(kThreads) each_key(KernelAttentionCall call) {
  const int size = call.size, width = size + 1;
  const float* const state = load_state(call.dstate, size);
  float* const key = const_cast<float*>(state) + size * width;
  float* const value = key + kTokens * size;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kTokens;
  const int count = static_cast<int>(min(static_cast<std::int64_t>(kTokens), call.keys - first));
  for_each_element(count, size, [&](int t, int i) {
    const std::int64_t row = row_of(call, call.keys, first + t) + i;
    key[t * size + i] = fmaxf(0.0f, at<T>(call.k, row));
    value[t * size + i] = at<T>(call.v, row);
  });
  __syncthreads();
  for_each_element(count, size, [&](int t, int i) {
    const std::int64_t row = row_of(call, call.keys, first + t) + i;
    if (call.dk != nullptr) {
      const float arrives =
          dot(value + t * size, state + i * width, 1, size) + state[i * width + size];
      const float dk[1] = {key[t * size + i] > 0 ? arrives : 0.0f};
      put<1>(static_cast<T*>(call.dk) + row, dk, call.accumulate_k);
    }
    if (call.dv != nullptr) {
      const float dv[1] = {dot(key + t * size, state + i, width, size)};
      put<1>(static_cast<T*>(call.dv) + row, dv, call.accumulate_v);
    }
  });
}

dim3 blocks_of(const KernelAttentionCall& call, std::int64_t tokens) {
  return {static_cast<unsigned>(divide_up(tokens, kTokens)),
          static_cast<unsigned>(call.batch * call.heads)};
}

}  // namespace

int kernel_attention_shared(int size) {
  return static_cast<int>(sizeof(float)) *
         (size * (size + 1) + kTokens * (2 * size + 1) + 2 * kTokens);
}

void launch_kernel_attention_forward(cudaStream_t stream, const KernelAttentionCall& call) {
  const int shared = kernel_attention_shared(call.size);
  const dim3 heads(1, static_cast<unsigned>(call.batch * call.heads));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "kernel attention, state", heads, kThreads, shared}, sum_state<T, false>, call);
    launch({stream, "kernel attention", blocks_of(call, call.queries), kThreads, shared},
           each_query<T, false>, call);
  });
}

void launch_kernel_attention_backward(cudaStream_t stream, const KernelAttentionCall& call) {
  const int shared = kernel_attention_shared(call.size);
  const dim3 heads(1, static_cast<unsigned>(call.batch * call.heads));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "kernel attention, queries", blocks_of(call, call.queries), kThreads, shared},
           each_query<T, true>, call);
    launch({stream, "kernel attention, gradient of the state", heads, kThreads, shared},
           sum_state<T, true>, call);
    launch({stream, "kernel attention, keys", blocks_of(call, call.keys), kThreads, shared},
           each_key<T>, call);
  });
}

}  // namespace edt
