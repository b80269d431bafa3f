// What a benchmark's work has taken of the memory it computes in: the host's, or a device's.
#pragma once

#include <cstddef>

#include "core/tensor/memory.h"

namespace edt {

class MemoryGrowth {
 public:
  // Counts from here.
  explicit MemoryGrowth(const Memory& memory);

  // Bytes taken since. Of a device they are those of all processes that share it.
  std::size_t bytes() const;
  // On the host the largest resident size of this process so far; of a device, which gives nothing
  // back while a benchmark runs, bytes().
  std::size_t peak_bytes() const;

 private:
  const Memory& memory_;
  std::size_t before_;  // in use on the host, free on a device
};

}  // namespace edt
