#include "launcher/bench/memory_growth.h"

#include <sys/resource.h>

#include "launcher/machine/measuring.h"

namespace edt {

MemoryGrowth::MemoryGrowth(const Memory& memory) : memory_(memory) {
  const auto device = memory.free_on_device();
  before_ = device ? device->bytes : resident_bytes();
}

std::size_t MemoryGrowth::bytes() const {
  const auto device = memory_.free_on_device();
  const std::size_t now = device ? device->bytes : resident_bytes();
  const std::size_t more = device ? before_ : now, less = device ? now : before_;
  return more > less ? more - less : 0;
}

std::size_t MemoryGrowth::peak_bytes() const {
  if (memory_.free_on_device()) return bytes();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace edt
