#include "core/tensor/memory.h"

#include <sys/mman.h>

#include <cstdlib>

#include "core/base/error.h"

namespace edt {
namespace {

class HostMemory final : public Memory {
 public:
  void* reserve(std::size_t bytes) override {
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : 4096;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, rounded);
    require<SystemError>(memory != nullptr, "memory", "cannot allocate {} bytes of host memory",
                         bytes);
    // A hint: may fail. What the last one does not fill stays in small pages, so that a block takes
    // no more than was asked for.
    madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    return memory;
  }
  void release(void* memory) noexcept override { std::free(memory); }
};

}  // namespace

Memory& host_memory() {
  static HostMemory memory;
  return memory;
}

}  // namespace edt
