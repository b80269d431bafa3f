// The tensor cores' m16n8k16 product of bf16 with float32 sums, and how its operands come out of
// shared memory. Valid from sm_80 on.
//
// A thread of a warp, with row = lane / 4 and pair = 2 * (lane % 4), holds of a result tile [16, 8]
//   c[0], c[1] = (row, pair), (row, pair + 1)   c[2], c[3] = (row + 8, pair), (row + 8, pair + 1)
// and of a left operand [16, 16], as pairs of bf16,
//   a[0] = (row, pair)   a[1] = (row + 8, pair)   a[2] = (row, pair + 8)   a[3] = (row + 8, pair +
//   8)
// so that two neighbouring result tiles, rounded, are a left operand.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace edt {

using Bf16 = __nv_bfloat16;

__device__ inline unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

// c += a b
__device__ inline void mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline void load_matrices(unsigned (&r)[4], const Bf16* p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(p))
               : "memory");
}

__device__ inline void load_transposed(unsigned (&r)[4], const Bf16* p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(p))
               : "memory");
}

__device__ inline void load_transposed(unsigned (&r)[2], const Bf16* p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];\n"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(p))
               : "memory");
}

// A left operand: rows 0-15 and columns 0-15 of a row-major tile.
__device__ inline void load_left(unsigned (&a)[4], const Bf16* tile, int stride) {
  const int lane = threadIdx.x % 32;
  load_matrices(a, tile + (lane % 16) * stride + lane / 16 * 8);
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

// One right operand from memory [k][n]: columns 0-7.
__device__ inline void load_right_of_columns(unsigned (&r)[2], const Bf16* tile, int stride) {
  const int lane = threadIdx.x % 32;
  load_transposed(r, tile + (lane % 16) * stride);
}

// Eight bytes from global to shared memory behind the program's back; zeros where not `wanted`.
__device__ inline void copy8(Bf16* to, const Bf16* from, bool wanted) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;\n" ::"r"(shared_address(to)),
               "l"(from), "r"(wanted ? 8 : 0)
               : "memory");
}

__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// Of this thread; a barrier makes them everybody's.
__device__ inline void wait_for_copies() { asm volatile("cp.async.wait_all;\n" ::: "memory"); }

__device__ inline unsigned pack(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&pair);
}

__device__ inline float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace edt
