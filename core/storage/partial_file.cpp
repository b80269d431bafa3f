#include "core/storage/partial_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/base/error.h"
#include "core/base/signal_stack.h"
#include "core/storage/durable_file.h"

namespace edt {
namespace {

// Handlers may neither lock nor allocate. Whoever takes a name out of its slot owns it; a file
// beyond the last slot is removed by its destructor only.
constexpr int kSlots = 256, kNoSlot = -1;
std::array<std::atomic<char*>, kSlots> partial_names{};
std::atomic<int> delays{0}, waiting_signal{0};
static_assert(std::atomic<char*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void end_by(int number) {
  remove_partial_files();
  signal(number, SIG_DFL);
  sigset_t this_one;
  sigemptyset(&this_one);
  sigaddset(&this_one, number);
  pthread_sigmask(SIG_UNBLOCK, &this_one, nullptr);
  raise(number);
}

void on_signal(int number) {
  waiting_signal = number;
  if (delays == 0) end_by(number);
}

// A lock of the open file, not of the process, which HDF5 may ask for as well.
bool take_lock(int descriptor) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  // Where the file system knows no locks, nobody else has one.
  return ::fcntl(descriptor, F_OFD_SETLK, &whole) == 0 || (errno != EAGAIN && errno != EACCES);
}

bool still_has_name(int descriptor, const std::filesystem::path& path) {
  struct stat open {
  }, named{};
  return ::fstat(descriptor, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

// What a process that was killed has left is used again; what one is writing is waited for,
// shortly.
int create_locked(const std::filesystem::path& partial, const std::filesystem::path& asked) {
  constexpr int kTries = 200;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const int descriptor = ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) fail_errno("create", partial);
    // Meanwhile it may have got its final name.
    if (take_lock(descriptor) && still_has_name(descriptor, partial)) return descriptor;
    ::close(descriptor);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  fail<UsageError>("file", "{} is being written by another process", asked.string());
}

struct Created {
  int lock, slot;
};

// No signal comes between that the file is there and that it is known.
Created create_listed(const std::filesystem::path& partial, const std::filesystem::path& asked) {
  const SignalDelay delay;
  const int lock = create_locked(partial, asked);
  return {lock, list_for_removal(partial)};
}

}  // namespace

int list_for_removal(const std::filesystem::path& path) {
  char* name = strdup(std::filesystem::absolute(path).c_str());
  for (int slot = 0; name != nullptr && slot < kSlots; ++slot) {
    char* none = nullptr;
    if (partial_names[static_cast<std::size_t>(slot)].compare_exchange_strong(none, name))
      return slot;
  }
  std::free(name);
  return kNoSlot;
}

void strike_off_removal(int number) {
  if (number != kNoSlot)
    std::free(partial_names[static_cast<std::size_t>(number)].exchange(nullptr));
}

PartialFile::PartialFile(const std::filesystem::path& path)
    : path_(final_path(path)), partial_(partial_path(path_)) {
  const Created created = create_listed(partial_, path);
  lock_ = created.lock;
  slot_ = created.slot;
}

PartialFile::~PartialFile() {
  if (!is_complete_) ::unlink(partial_.c_str());
  ::close(lock_);
  strike_off_removal(slot_);
}

void PartialFile::commit() {
  sync_file(partial_);
  take_name();
}

void PartialFile::take_name() {
  rename_durably(partial_, path_);
  is_complete_ = true;
}

void remove_partial_files() noexcept {
  std::array<const char*, kSlots> folders;  // emptied before they go
  std::size_t count = 0;
  for (auto& name : partial_names) {
    const char* taken = name.exchange(nullptr);
    if (taken != nullptr && ::unlink(taken) != 0 && errno == EISDIR) folders[count++] = taken;
  }
  for (std::size_t i = 0; i < count; ++i) ::rmdir(folders[i]);
}

void remove_partial_files_on_signals() {
  give_thread_a_signal_stack();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1}) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART | kOnSignalStack;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
}

// A thread may be in on_signal() already, past its look at the delays: then nothing begins any
// more.
SignalDelay::SignalDelay() {
  if (delays++ == 0 && waiting_signal != 0) end_by(waiting_signal);
}

SignalDelay::~SignalDelay() {
  if (--delays == 0 && waiting_signal != 0) end_by(waiting_signal);
}

bool SignalDelay::signal_waits() { return waiting_signal != 0; }

}  // namespace edt
