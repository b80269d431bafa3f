#include "model/plan/fake_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {
namespace {

std::size_t mapped(std::size_t bytes) {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (std::max<std::size_t>(bytes, 1) + page - 1) / page * page;
}

}  // namespace

FakeMemory::~FakeMemory() {
  for (const auto& [begin, bytes] : blocks_) munmap(begin, mapped(bytes));
}

void* FakeMemory::reserve(std::size_t bytes) {
  void* memory = mmap(nullptr, mapped(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require<SystemError>(memory != MAP_FAILED, "plan", "no address space of {} bytes", bytes);
  blocks_.emplace(static_cast<std::byte*>(memory), bytes);
  bytes_ += bytes;
  return memory;
}

void FakeMemory::release(void* memory) noexcept {
  const auto found = blocks_.find(static_cast<std::byte*>(memory));
  munmap(memory, mapped(found->second));
  bytes_ -= found->second;
  blocks_.erase(found);
}

std::optional<FakeMemory::Block> FakeMemory::block_of(const void* address) const {
  auto* at = static_cast<std::byte*>(const_cast<void*>(address));
  auto after = blocks_.upper_bound(at);
  if (after == blocks_.begin()) return std::nullopt;
  const auto& [begin, bytes] = *--after;
  if (at >= begin + bytes) return std::nullopt;
  return Block{begin, bytes};
}

bool FakeMemory::is_touched(const Block& block) {
  const std::size_t pages = mapped(block.bytes) / mapped(1);
  std::vector<unsigned char> resident(pages);
  if (mincore(block.begin, block.bytes, resident.data()) != 0) return true;
  return std::ranges::any_of(resident, [](unsigned char page) { return (page & 1) != 0; });
}

}  // namespace edt
