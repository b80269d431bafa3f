// Runs the kernels of core/cuda on the host, so that their indices, barriers, alignments and sums
// are tested where there is no GPU. The host compiler builds core/cuda/kernels/*.cu with this file
// included first: it stands in for what nvcc and the hardware give.
//
// The threads of a block are fibers. A fiber runs until it meets a barrier or a warp-wide
// instruction, then the next one runs, in one of several orders (order.h): what a missing barrier
// lets through differs between them. A barrier that some threads never reach, a misaligned access
// and a launch that the hardware would refuse end the program by name.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "core/cuda/kernels/launch.h"
#include "tests/core/cuda/emulation/asynchronous.h"
#include "tests/core/cuda/emulation/order.h"
#include "tests/core/cuda/emulation/streams.h"

#undef __shared__
#define __shared__ static  // blocks run one after the other
#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __grid_constant__
#define __grid_constant__

using std::max;
using std::min;

namespace edt::emulation {

struct Place {
  uint3 thread, block;
  dim3 threads, blocks;
};
// Of the fiber that runs.
extern Place place;

// Runs `kernel` for every thread of every block. One that begins before earlier kernels have ended
// may touch no memory of the device until it has waited for them, and every thread has to.
enum class Begins { kBehindEarlierKernels, kBeforeTheyEnd };
void run(const LaunchShape& shape, const void* kernel, const std::function<void()>& body,
         Begins begins = Begins::kBehindEarlierKernels);
void wait_for_earlier_kernels();
unsigned char* shared_memory();

void block_barrier();
void warp_barrier();

// What the lanes of a warp show to each other in a warp-wide instruction: each writes its own part,
// and reads behind a barrier.
union Exchange {
  std::uint64_t lanes[32][8];
  struct {
    float a[16][16], b[64][16];  // the right one transposed
  } matrices;
};
Exchange& next_exchange();  // of the fiber's own warp

// Ends the program with the name of the kernel and the thread.
[[noreturn]] void fail(const char* what);

template <class T>
T exchange(T value, int lane) {
  auto& lanes = next_exchange().lanes;
  static_assert(sizeof(T) <= sizeof lanes[0]);
  std::memcpy(lanes[place.thread.x % 32], &value, sizeof value);
  warp_barrier();
  T other;
  std::memcpy(&other, lanes[lane], sizeof other);
  return other;
}

void defer_copy(void* to, const void* from, bool wanted);
void finish_copies();

}  // namespace edt::emulation

#define threadIdx (::edt::emulation::place.thread)
#define blockIdx (::edt::emulation::place.block)
#define blockDim (::edt::emulation::place.threads)
#define gridDim (::edt::emulation::place.blocks)

inline void __syncthreads() { ::edt::emulation::block_barrier(); }
inline void __syncwarp() { ::edt::emulation::warp_barrier(); }
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return ::edt::emulation::exchange(value, static_cast<int>(threadIdx.x % 32) ^ mask);
}
template <class T>
T __shfl_sync(unsigned, T value, int source, int width = 32) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  return ::edt::emulation::exchange(value, lane / width * width + source % width);
}
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float a, float b) { return a / b; }

namespace edt {

template <class... P, class... A>
void launch(const LaunchShape& shape, void (*kernel)(P...), const A&... args) {
  if (shape.blocks.x == 0 || shape.blocks.y == 0 || shape.blocks.z == 0) return;
  emulation::ask(shape.stream, [=] {
    emulation::run(shape, reinterpret_cast<const void*>(kernel), [&] { kernel(args...); });
  });
  check_launch(shape.name);
}

// Whether it is allowed or not: every kernel that is launched so has to be fit for it.
template <class... P, class... A>
void launch_programmatic(const LaunchShape& shape, void (*kernel)(P...), const A&... args) {
  if (shape.blocks.x == 0 || shape.blocks.y == 0 || shape.blocks.z == 0) return;
  emulation::ask(shape.stream, [=] {
    emulation::run(
        shape, reinterpret_cast<const void*>(kernel), [&] { kernel(args...); },
        emulation::Begins::kBeforeTheyEnd);
  });
  check_launch(shape.name);
}
inline void wait_for_earlier_kernels() { emulation::wait_for_earlier_kernels(); }

inline unsigned char* dynamic_shared() { return emulation::shared_memory(); }

using Bf16 = __nv_bfloat16;

void mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);
inline void mma_first(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  std::fill(c, c + 4, 0.0f);
  mma(c, a, b0, b1);
}
void load_matrices(unsigned (&r)[4], const Bf16* row);
void load_transposed(unsigned (&r)[4], const Bf16* row);
inline void copy8(Bf16* to, const Bf16* from, bool wanted) {
  emulation::defer_copy(to, from, wanted);
}
inline void commit_copies() {}
inline void wait_for_copies() { emulation::finish_copies(); }
inline float exp2_approx(float x) { return std::exp2(x); }

}  // namespace edt
