// Sums in a fixed order: across a warp by a butterfly, across warps in index order.
#pragma once

namespace edt {

__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) {
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  }
  return value;
}

// Several sums at once, each of which 32 / kCount lanes receive: those whose number, divided by
// that, is the sum's. A lane gives half of its values away for the other half of its partner's, as
// long as it has several, so that there is half as much to be done in each step. What is added to
// what, and so the bits, is as in warp_sum().
template <int kCount>
__device__ float warp_sums(const float (&v)[kCount]) {
  if constexpr (kCount == 1) {
    return warp_sum(v[0]);
  } else {
    static_assert((kCount & (kCount - 1)) == 0 && kCount <= 8);
    float rest[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) rest[i] = v[i];
    int offset = 16;
#pragma unroll
    for (int half = kCount / 2; half > 0; half /= 2, offset /= 2) {
      const bool upper = (threadIdx.x & offset) != 0;
#pragma unroll
      for (int i = 0; i < half; ++i) {
        const float given = upper ? rest[i] : rest[i + half];
        const float kept = upper ? rest[i + half] : rest[i];
        rest[i] = kept + __shfl_xor_sync(0xffffffffu, given, offset);
      }
    }
#pragma unroll
    for (; offset > 0; offset /= 2) rest[0] += __shfl_xor_sync(0xffffffffu, rest[0], offset);
    return rest[0];
  }
}

// Every thread of the block receives the sums of v over the block. `shared` has kCount * 32 floats
// and begins at a multiple of 4 kCount bytes; of two calls in a row the second must use other
// memory, the third may use the first's again.
template <int kCount>
__device__ void block_sum(float (&v)[kCount], float* shared) {
  struct alignas(4 * kCount) Sums {
    float of[kCount];
  };
  constexpr int kLanes = 32 / kCount;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warps = static_cast<int>(blockDim.x) / 32;
  const float sum = warp_sums(v);
  if (lane % kLanes == 0) shared[warp * kCount + lane / kLanes] = sum;
  __syncthreads();
#pragma unroll
  for (float& total : v) total = 0;
#pragma unroll 4
  for (int w = 0; w < warps; ++w) {
    const Sums part = reinterpret_cast<const Sums*>(shared)[w];
#pragma unroll
    for (int i = 0; i < kCount; ++i) v[i] += part.of[i];
  }
}

// Every thread of a block of kThreads receives the sum of `value` over it, by halves. `shared` has
// kThreads doubles, and may be used again at once.
template <int kThreads>
__device__ double block_total(double value, double* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  const double total = shared[0];
  __syncthreads();
  return total;
}

}  // namespace edt
