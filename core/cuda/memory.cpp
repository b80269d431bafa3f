#include "core/cuda/memory.h"

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/cuda/capturing.h"
#include "core/cuda/cuda_backend.h"
#include "core/cuda/error.h"

namespace edt {

namespace {

// What CUDA's programming guide promises of all its allocations. Small ones are cut from larger
// blocks, those of pinned memory too.
bool is_aligned(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory) % 256 == 0; }

}  // namespace

void* CudaMemory::reserve(std::size_t bytes) {
  require_no_capture("allocating GPU memory");
  void* memory = nullptr;
  check_cuda(cudaSetDevice(device_), "choosing the GPU");
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    forget_error();
    fail<CudaError>("cuda", "cannot allocate {} bytes of GPU memory, {} are free", bytes,
                    free_on_device()->bytes);
  }
  check_cuda(status, "allocating GPU memory");
  EDT_ASSERT(is_aligned(memory));
  return memory;
}

// Waits for kernels that still use the memory, as cudaFree does.
void CudaMemory::release(void* memory) noexcept {
  give_back("giving GPU memory back", memory, [](void* block) {
    if (cudaFree(block) != cudaSuccess) forget_error();
  });
}

std::optional<FreeMemory> CudaMemory::free_on_device() const {
  require_no_capture("asking what GPU memory is free");
  std::size_t free = 0, total = 0;
  check_cuda(cudaSetDevice(device_), "choosing the GPU");
  check_cuda(cudaMemGetInfo(&free, &total), "reading the free memory");
  return FreeMemory{"GPU " + cuda_device_places().at(static_cast<std::size_t>(device_)), free};
}

void* PinnedMemory::reserve(std::size_t bytes) {
  require_no_capture("allocating pinned host memory");
  void* memory = nullptr;
  check_cuda(cudaSetDevice(device_), "choosing the GPU");
  const cudaError_t status = cudaHostAlloc(&memory, bytes, cudaHostAllocPortable);
  if (status == cudaErrorMemoryAllocation) {
    forget_error();
    fail<CudaError>("cuda", "cannot allocate {} bytes of pinned host memory", bytes);
  }
  check_cuda(status, "allocating pinned host memory");
  EDT_ASSERT(is_aligned(memory));
  return memory;
}

void PinnedMemory::release(void* memory) noexcept {
  give_back("giving pinned host memory back", memory, [](void* block) {
    if (cudaFreeHost(block) != cudaSuccess) forget_error();
  });
}

}  // namespace edt
