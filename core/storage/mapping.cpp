#include "core/storage/mapping.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <vector>

#include "core/base/signal_stack.h"

namespace edt {

// What the handler knows of a mapping. It walks the list without a lock, so entries are used again
// but never freed.
struct Mapping::Watch {
  std::atomic<std::uintptr_t> begin{0}, end{0};  // 0, 0: not in use
  std::atomic<bool> lost{false};
  Watch* next = nullptr;
};

namespace {

std::atomic<Mapping::Watch*> watches{nullptr};
struct sigaction earlier {};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);

bool put_zeros_at(std::uintptr_t address) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  void* begin = reinterpret_cast<void*>(address / page * page);
  return ::mmap(begin, page, PROT_READ, MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE, -1, 0) == begin;
}

// Whatever is not in a mapping of ours ends the program as it would have without this handler: the
// access is repeated when the handler returns.
void on_bus_error(int number, siginfo_t* info, void*) {
  const int code = errno;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  bool mended = false;
  for (Mapping::Watch* watch = watches; watch != nullptr && !mended; watch = watch->next) {
    if (address < watch->begin || address >= watch->end) continue;
    watch->lost = true;
    mended = put_zeros_at(address);
  }
  if (!mended) ::sigaction(number, &earlier, nullptr);
  errno = code;
}

void handle_bus_errors() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | kOnSignalStack;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &earlier);
}

// Hands out entries of the list.
class Watches {
 public:
  Mapping::Watch* take() {
    const std::lock_guard lock(mutex_);
    static const bool handling = (handle_bus_errors(), true);
    (void)handling;
    if (!free_.empty()) {
      Mapping::Watch* watch = free_.back();
      free_.pop_back();
      return watch;
    }
    auto* watch = new Mapping::Watch;
    watch->next = watches;
    watches = watch;
    return watch;
  }
  void give_back(Mapping::Watch* watch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(watch);
  }

 private:
  std::mutex mutex_;
  std::vector<Mapping::Watch*> free_;
};

// Never destroyed, as mappings of static duration may outlive it.
Watches& all_watches() {
  static auto* all = new Watches;
  return *all;
}

}  // namespace

std::unique_ptr<Mapping> Mapping::of(int descriptor, std::uint64_t size) {
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) return nullptr;
  return std::unique_ptr<Mapping>(new Mapping({static_cast<const std::byte*>(address), size}));
}

Mapping::Mapping(std::span<const std::byte> bytes) : bytes_(bytes), watch_(all_watches().take()) {
  watch_->lost = false;
  watch_->begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  watch_->end = watch_->begin + bytes.size();
}

Mapping::~Mapping() {
  watch_->end = 0;
  watch_->begin = 0;
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  all_watches().give_back(watch_);
}

bool Mapping::has_lost_bytes() const { return watch_->lost; }

}  // namespace edt
