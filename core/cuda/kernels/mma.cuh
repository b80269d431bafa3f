// The tensor cores' m16n8k16 product of bf16 with float32 sums, and how its operands come out of
// shared memory.
//
// A thread of a warp, with row = lane / 4 and pair = 2 * (lane % 4), holds of a result tile [16, 8]
//   c[0], c[1] = (row, pair), (row, pair + 1)   c[2], c[3] = (row + 8, pair), (row + 8, pair + 1)
// and of a left operand [16, 16], as pairs of bf16,
//   a[0] = (row, pair)   a[1] = (row + 8, pair)   a[2] = (row, pair + 8)   a[3] = (row + 8, pair +
//   8)
// so that two neighbouring result tiles, rounded, are a left operand.
#pragma once

#include "core/cuda/kernels/vector.cuh"
#ifdef __CUDACC__
#include "core/cuda/kernels/instructions.cuh"
#endif

namespace edt {

// A left operand: rows 0-15 and columns 0-15 of a row-major tile.
__device__ inline void load_left(unsigned (&a)[4], const Bf16* tile, int stride) {
  const int lane = threadIdx.x % 32;
  load_matrices(a, tile + (lane % 16) * stride + lane / 16 * 8);
}

// The same from memory [k][m]: columns 0-15 and rows 0-15 of the memory.
__device__ inline void load_left_of_columns(unsigned (&a)[4], const Bf16* tile, int stride) {
  const int lane = threadIdx.x % 32;
  load_transposed(a, tile + (lane % 8 + lane / 16 * 8) * stride + lane / 8 % 2 * 8);
}

// Two right operands [16, 8] side by side from memory [n][k]: r[0], r[1] are rows 0-7 of the
// memory, r[2], r[3] rows 8-15.
__device__ inline void load_right(unsigned (&r)[4], const Bf16* tile, int stride) {
  const int lane = threadIdx.x % 32;
  load_matrices(r, tile + (lane % 8 + lane / 16 * 8) * stride + lane / 8 % 2 * 8);
}

// The same from memory [k][n]: r[0], r[1] are columns 0-7 of the memory, r[2], r[3] columns 8-15.
__device__ inline void load_right_of_columns(unsigned (&r)[4], const Bf16* tile, int stride) {
  const int lane = threadIdx.x % 32;
  load_transposed(r, tile + (lane % 16) * stride + lane / 16 * 8);
}

}  // namespace edt
