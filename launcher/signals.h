// Asked to stop: SIGINT (Ctrl-C), SIGTERM (end of the allocation), SIGHUP (the terminal is gone;
// under nohup it stays ignored), and what batch systems warn with (SIGUSR1, SIGUSR2, SIGXCPU) set a
// flag that is polled at step boundaries. A second SIGINT ends the program at once.
#pragma once

#include <signal.h>

#include <array>
#include <string_view>

namespace edt {

// Handlers are in place while the object lives; afterwards the earlier ones are back. One at a
// time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  bool stop_requested() const { return signal_number() != 0; }
  // The first signal that came; 0 when none did. Signals are the process's, so no object is asked.
  static int signal_number();
  // "SIGTERM"; "" when none came.
  std::string_view signal_name() const;

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
  std::array<struct sigaction, kSignals.size()> earlier_{};
};

}  // namespace edt
