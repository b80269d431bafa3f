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

// Every thread of the block receives the sums of v over the block. `shared` has kCount * 32 floats;
// of two calls in a row the second must use other memory, the third may use the first's again.
template <int kCount>
__device__ void block_sum(float (&v)[kCount], float* shared) {
  const int warp = threadIdx.x / 32, warps = blockDim.x / 32;
#pragma unroll
  for (int i = 0; i < kCount; ++i) v[i] = warp_sum(v[i]);
  if (threadIdx.x % 32 == 0) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) shared[i * 32 + warp] = v[i];
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    float sum = 0;
    for (int w = 0; w < warps; ++w) sum += shared[i * 32 + w];
    v[i] = sum;
  }
}

}  // namespace edt
