#include "launcher/signals.h"

#include <atomic>

#include "core/base/assert.h"
#include "core/base/signal_stack.h"
#include "core/storage/partial_file.h"

namespace edt {
namespace {

std::atomic<bool> installed{false};
std::atomic<int> first_signal{0};
std::atomic<int> interrupts{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch nothing else");

void on_signal(int number) {
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  if (number != SIGINT || interrupts.fetch_add(1) == 0) return;
  remove_partial_files();
  // Delivered when this handler returns, and nothing handles it then.
  signal(SIGINT, SIG_DFL);
  raise(SIGINT);
}

}  // namespace

StopSignals::StopSignals() {
  EDT_ASSERT(!installed.exchange(true));
  give_thread_a_signal_stack();
  first_signal = 0;
  interrupts = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART | kOnSignalStack;  // file writes go on as if nothing had come
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &earlier_[i]);
    const bool is_under_nohup = kSignals[i] == SIGHUP && earlier_[i].sa_handler == SIG_IGN;
    if (!is_under_nohup) sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &earlier_[i], nullptr);
  installed = false;
}

int StopSignals::signal_number() { return first_signal; }

std::string_view StopSignals::signal_name() const {
  switch (signal_number()) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGUSR2:
      return "SIGUSR2";
    case SIGXCPU:
      return "SIGXCPU";
    default:
      return "";
  }
}

}  // namespace edt
