#include "tests/core/cuda/emulation/device_memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/cuda/gemm_plan.h"
#include "tests/core/cuda/emulation/streams.h"

namespace edt::emulation {
namespace {

constexpr std::size_t kPage = 4096, kPromised = 256;
constexpr std::size_t kReserved = std::size_t{1} << 40;  // addresses, not memory

char* reserved = nullptr;
std::size_t used = 0;
// Where the processor has one. With -1 all pages are opened and closed, most of a test's time.
int protection_key = -1;
bool is_early = false;  // memory is closed to a kernel that has not waited for earlier ones

bool is_protected(const void* memory) {
  const auto at = reinterpret_cast<std::uintptr_t>(memory);
  const auto begin = reinterpret_cast<std::uintptr_t>(reserved);
  return reserved != nullptr && at >= begin && at < begin + kReserved;
}

void on_fault(int number, siginfo_t* info, void*) {
  if (is_protected(info->si_addr)) {
    const std::string_view text =
        is_early ? "emulation: a kernel touches memory before it has waited for earlier ones\n"
                 : "emulation: host code touches the memory of the GPU\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
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
  if (pkey_mprotect(begin, size, PROT_READ | PROT_WRITE, protection_key) != 0) std::abort();
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
  // Some C libraries do not know the keys of their processor.
  if (protection_key >= 0 && pkey_set(protection_key, PKEY_DISABLE_ACCESS) != 0) {
    pkey_free(protection_key);
    protection_key = -1;
  }
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
  // The workspace of products, of every backend that is made, stays no memory at all.
  if (bytes != kWorkspaceBytes) std::memset(begin + kPromised, 0xff, bytes);
  return begin + kPromised;
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

bool can_close_memory() { return reserved != nullptr; }

void open_to_early_threads(bool open) {
  is_early = !open;
  open_device_memory(open);
}

}  // namespace edt::emulation
