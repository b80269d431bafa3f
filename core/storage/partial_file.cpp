#include "core/storage/partial_file.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "core/storage/durable_file.h"

namespace edt {
namespace {

// Handlers may neither lock nor allocate. Whoever takes a name out of its slot owns it; a file
// beyond the last slot is removed by its destructor only.
constexpr int kSlots = 256, kNoSlot = -1;
std::array<std::atomic<char*>, kSlots> names{};
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

}  // namespace

int list_for_removal(const std::filesystem::path& path) {
  char* name = strdup(std::filesystem::absolute(path).c_str());
  for (int slot = 0; name != nullptr && slot < kSlots; ++slot) {
    char* none = nullptr;
    if (names[static_cast<std::size_t>(slot)].compare_exchange_strong(none, name)) return slot;
  }
  std::free(name);
  return kNoSlot;
}

void strike_off_removal(int number) {
  if (number != kNoSlot) std::free(names[static_cast<std::size_t>(number)].exchange(nullptr));
}

PartialFile::PartialFile(const std::filesystem::path& path)
    : path_(final_path(path)), partial_(partial_path(path_)), slot_(list_for_removal(partial_)) {}

PartialFile::~PartialFile() {
  if (!is_complete_) ::unlink(partial_.c_str());
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
  for (auto& name : names) {
    if (const char* taken = name.exchange(nullptr)) ::unlink(taken);
  }
}

void remove_partial_files_on_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1}) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
}

SignalDelay::SignalDelay() { ++delays; }

SignalDelay::~SignalDelay() {
  if (--delays == 0 && waiting_signal != 0) end_by(waiting_signal);
}

bool SignalDelay::signal_waits() { return waiting_signal != 0; }

}  // namespace edt
