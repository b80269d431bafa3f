// Working memory on the device, reused from call to call in stream order. Each purpose has a slot
// that grows to the largest size asked for: the steady state allocates nothing, and its addresses
// stay, as CUDA graphs need; generation() tells those of an earlier size that theirs are gone.
#pragma once

#include <array>
#include <cstdint>

#include "core/tensor/memory.h"

namespace edt {

enum class ScratchSlot {
  kPartials,   // sums of slices, added in order by a second kernel
  kActivated,  // gelu of the MLP's pre-activation
  kHidden,     // the pre-activation when nobody keeps it, or its gradient
  kBias,       // a bias gradient on its way to where it is added
  kDq,         // attention: dq by block of keys
  kDtable,     // attention: gradient of the bias table by sample
  kSums,       // loss and norm: doubles
  kWorkspace,  // cuBLASLt
  kPatches,    // pictures: a band of what a convolution sees, as a matrix; scores of attention
  kMoments,    // statistics of norms
  kCount
};

class CudaScratch {
 public:
  explicit CudaScratch(Memory& memory) : memory_(memory) {}

  // CudaError where it would grow within a capture.
  void* bytes(ScratchSlot slot, std::size_t count) {
    Block& block = blocks_[static_cast<std::size_t>(slot)];
    if (block.bytes() < count) grow(slot, block, count);
    return block.data();
  }
  float* floats(ScratchSlot slot, std::int64_t count) {
    return static_cast<float*>(bytes(slot, static_cast<std::size_t>(count) * sizeof(float)));
  }

  // Changes with every address.
  std::int64_t generation() const { return generation_; }

 private:
  void grow(ScratchSlot slot, Block& block, std::size_t count);

  Memory& memory_;
  std::int64_t generation_ = 0;
  std::array<Block, static_cast<std::size_t>(ScratchSlot::kCount)> blocks_;
};

}  // namespace edt
