// Device memory for arenas and flat buffers.
#pragma once

#include "core/tensor/memory.h"

namespace edt {

class CudaMemory final : public Memory {
 public:
  explicit CudaMemory(int device) : device_(device) {}

  void* reserve(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  std::optional<FreeMemory> free_on_device() const override;

 private:
  int device_;
};

// Host memory that all GPUs copy from and to without help of the processor. `device`: whose context
// takes it; without one, a thread's first call would make a context on GPU 0.
class PinnedMemory final : public Memory {
 public:
  explicit PinnedMemory(int device) : device_(device) {}

  void* reserve(std::size_t bytes) override;
  void release(void* memory) noexcept override;

 private:
  int device_;
};

}  // namespace edt
