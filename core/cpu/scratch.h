// Working memory of a backend, reused from call to call, each thread's its own. Each purpose has a
// slot that grows to the largest size asked for, so the steady state allocates nothing.
#pragma once

#include <array>
#include <cstdint>

#include "core/cpu/per_thread.h"
#include "core/tensor/memory.h"

namespace edt {

enum class Slot {
  kConvertedX,  // operands in the type they are multiplied in
  kConvertedDy,
  kConvertedW,
  kConvertedW2,
  kConvertedHidden,
  kHidden,      // the MLP's pre-activation of one chunk of rows, or its gradient
  kActivated,   // its activation
  kResult,      // a float32 result on its way to bf16
  kPartials,    // per-thread or per-task sums
  kPartials2,   // others of the same op
  kAttention,   // per-thread panels
  kBias,        // relative-position bias by head
  kModulation,  // transposed attention modulation matrix
  kPicture,     // a picture between two steps of one op
  kMoments,     // norms of pictures: statistics of blocks of pixels
  kQuantized,   // rows in 8-bit integers, with a scale for each
  kRowScales,
  kQuantizedHidden,
  kHiddenScales,
  kProducts,  // of integers
  kBias1,     // biases in float32
  kBias2,
  kTernaryRows,  // of activations, in float32 and whole groups
  kCount
};

class Scratch {
 public:
  template <class T>
  T* of(Slot slot, std::int64_t count) {
    Block& block = blocks_.mine()[static_cast<std::size_t>(slot)];
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    if (block.bytes() < bytes) block = Block(host_memory(), bytes);
    return static_cast<T*>(block.data());
  }
  float* floats(Slot slot, std::int64_t count) { return of<float>(slot, count); }

 private:
  PerThread<std::array<Block, static_cast<std::size_t>(Slot::kCount)>> blocks_;
};

}  // namespace edt
