#include "tests/core/cuda/emulation/device_memory.h"

#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tests/core/cuda/emulation/streams.h"

namespace edt::emulation {
namespace {

constexpr std::size_t kPage = 4096, kPromised = 256;
constexpr std::size_t kFilled = std::size_t{1} << 20;
constexpr std::size_t kReserved = std::size_t{1} << 40;  // addresses, not memory

char* reserved = nullptr;
std::size_t used = 0;
// Where the processor has one. Else all pages are opened and closed, most of a test's time.
int protection_key = -1;

// Else the values of each case are given back to the system and asked for again: half of all time.
[[maybe_unused]] const bool keeps_what_is_freed =
    mallopt(M_MMAP_THRESHOLD, 256 << 20) == 1 && mallopt(M_TRIM_THRESHOLD, 1 << 30) == 1;

bool is_protected(const void* memory) {
  const auto at = reinterpret_cast<std::uintptr_t>(memory);
  const auto begin = reinterpret_cast<std::uintptr_t>(reserved);
  return reserved != nullptr && at >= begin && at < begin + kReserved;
}

void on_fault(int number, siginfo_t* info, void*) {
  if (is_protected(info->si_addr)) {
    constexpr char kText[] = "emulation: host code touches the memory of the GPU\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
  }
  signal(number, SIG_DFL);  // and again, for good
}

// Addresses are not used twice, so that old pointers are found too. New memory is zero: filling it
// would make it real.
void* take_protected(std::size_t bytes) {
  const AtWork at_work;
  const std::size_t size = (kPromised + bytes + kPage - 1) / kPage * kPage;
  if (used + size > kReserved) return nullptr;
  char* const begin = reserved + used;
  used += size;
  pkey_mprotect(begin, size, PROT_READ | PROT_WRITE, protection_key);  // -1: as mprotect
  return begin + kPromised;
}

}  // namespace

void protect_device_memory() {
  if (reserved != nullptr) return;
  void* const memory =
      mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  reserved = static_cast<char*>(memory);
  protection_key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
}

void* take_device_memory(std::size_t bytes) {
  if (reserved != nullptr) return take_protected(bytes);
  auto* const begin = static_cast<char*>(
      std::aligned_alloc(kPage, (kPromised + bytes + kPage - 1) / kPage * kPage));
  if (begin == nullptr) return nullptr;
  // Larger than this is the workspace of products alone, in every backend that is made: its middle
  // stays what it is, mostly no memory at all.
  char* const memory = begin + kPromised;
  const std::size_t filled = std::min(bytes, kFilled);
  std::memset(memory, 0xff, filled);
  std::memset(memory + bytes - filled, 0xff, filled);
  return memory;
}

void give_device_memory_back(void* memory) {
  if (memory == nullptr || is_protected(memory)) return;
  std::free(static_cast<char*>(memory) - kPromised);
}

void open_device_memory(bool open) {
  if (protection_key >= 0) {  // for this thread, which does the work
    pkey_set(protection_key, open ? 0 : PKEY_DISABLE_ACCESS);
  } else if (used > 0) {
    mprotect(reserved, used, open ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
}

}  // namespace edt::emulation
