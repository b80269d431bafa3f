// What files compiled by nvcc share with those of the host compiler. They include nothing of fmt,
// which nvcc cannot parse, so kernels take plain pointers and sizes.
#pragma once

#include <cuda_runtime_api.h>
#include <vector_types.h>

#include <cstdint>

#include "core/base/dtype.h"
#include "core/cuda/kernels/divide_up.h"

namespace edt {

struct LaunchShape {
  cudaStream_t stream;
  const char* name;  // of the operation, for errors
  dim3 blocks;
  int threads;
  int shared = 0;  // bytes of dynamic shared memory
};

// Throws CudaError when the launch before it failed.
void check_launch(const char* name);

// Allows `kernel` so much dynamic shared memory, of which it has 48 KiB by default, and gives it as
// much of a multiprocessor's memory as there is: the driver's own choice leaves some of it to the
// cache, and with that fewer blocks at once.
void allow_shared_memory(const void* kernel, int bytes, const char* name);

// Whether kernels that are launched by launch_programmatic() may begin before those before them in
// the stream have ended. Of the process; off until it is set.
void allow_programmatic_launches(bool allowed);
bool programmatic_launches_allowed();

#ifdef __CUDACC__
// Asks for kernel(args...) on the stream; throws CudaError when that is refused. Files of kernels
// that the host compiler builds for the emulator of tests/core/cuda have another launch().
template <class... P, class... A>
void launch(const LaunchShape& shape, void (*kernel)(P...), const A&... args) {
  if (shape.blocks.x == 0 || shape.blocks.y == 0 || shape.blocks.z == 0) return;
  allow_shared_memory(reinterpret_cast<const void*>(kernel), shape.shared, shape.name);
  kernel<<<shape.blocks, shape.threads, shape.shared, shape.stream>>>(args...);
  check_launch(shape.name);
}

// As launch(), of a kernel whose threads all call wait_for_earlier_kernels() first of all: NVIDIA's
// programmatic dependent launch (CUDA programming guide, 4.5), where it is allowed. The GPU sets
// the kernel's blocks up while the last ones before it run. Captured, it is a programmatic edge of
// the graph.
template <class... P, class... A>
void launch_programmatic(const LaunchShape& shape, void (*kernel)(P...), const A&... args) {
  if (!programmatic_launches_allowed()) return launch(shape, kernel, args...);
  if (shape.blocks.x == 0 || shape.blocks.y == 0 || shape.blocks.z == 0) return;
  allow_shared_memory(reinterpret_cast<const void*>(kernel), shape.shared, shape.name);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.blocks;
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = static_cast<std::size_t>(shape.shared);
  config.stream = shape.stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  static_cast<void>(cudaLaunchKernelEx(&config, kernel, args...));
  check_launch(shape.name);
}

// Until everything that was launched before has ended and what it wrote is seen; so nothing of it
// is read or overwritten too early. A kernel that has waited leaves its own successor to begin:
// that one finds at most this kernel at work, never one before it. Launched as ever, it waits for
// nothing.
__device__ inline void wait_for_earlier_kernels() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n\tgriddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

// The dynamic shared memory of this block, aligned to 16 bytes.
__device__ inline unsigned char* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char memory[];
  return memory;
}
#endif

// Columns of a [B, K] tensor (core/ops/kernel.h), from its first element on.
struct ColumnView {
  void* data = nullptr;
  std::int64_t stride = 0;
};

}  // namespace edt
