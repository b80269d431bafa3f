// Copies of boxes of a matrix into shared memory by the copy engine of sm_90 (TMA), and the
// barriers that say when they have arrived. Sources: PTX ISA 9.0, sections 9.7.9.27
// (cp.async.bulk.tensor) and 9.7.13.15 (mbarrier); cuTensorMapEncodeTiled of the driver's manual
// for what a map may describe.
//
// One thread asks for a box [rows][columns] at any row and column of the matrix; what lies beyond
// the matrix arrives as zeros. Rows of the box follow each other in shared memory, with the pieces
// of 16 bytes where the map's swizzle puts them (warpgroup.cuh). The box counts its bytes at a
// barrier.
//
// A barrier has phases, 0 first. A phase ends when all arrivals have come and all bytes that were
// expected; wait_for_phase(barrier, phase % 2) returns once it has ended. Barriers are made by one
// thread, which publishes them to the copy engine, and to the others by __syncthreads().
#pragma once

#include <cuda.h>

#ifdef __CUDACC__
#include "core/cuda/kernels/instructions.cuh"

namespace edt {

using Barrier = std::uint64_t;  // in shared memory

// The dynamic shared memory of this block, aligned to every swizzle: its address is known when a
// kernel is compiled, and with it all that follows from it.
__device__ inline unsigned char* box_memory() {
  extern __shared__ __align__(1024) unsigned char boxes[];
  return boxes;
}

__device__ inline void make_barrier(Barrier* barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(shared_address(barrier)),
               "r"(arrivals)
               : "memory");
}
__device__ inline void publish_barriers() {
  asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
}
// One arrival, and so many bytes more before the phase ends.
__device__ inline void expect_bytes(Barrier* barrier, unsigned bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}
__device__ inline void wait_for_phase(Barrier* barrier, unsigned parity) {
  unsigned done;
  do {
    asm volatile(
        "{\n.reg .pred done;\nmbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
        "selp.u32 %0, 1, 0, done;\n}\n"
        : "=r"(done)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  } while (done == 0);
}
// `map` is a parameter of the kernel (__grid_constant__).
__device__ inline void copy_box(void* to, const CUtensorMap& map, int column, int row,
                                Barrier* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, "
      "%3}], [%4];\n" ::"r"(shared_address(to)),
      "l"(&map), "r"(column), "r"(row), "r"(shared_address(barrier))
      : "memory");
}

}  // namespace edt
#endif
