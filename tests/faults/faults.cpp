// Faults of a program that is edt otherwise. It listens to the marks that profiles are made of
// (core/base/span.h), so edt itself neither knows of faults nor reads the variable:
//
//   EDT_FAULT="RANK AT COUNT WHAT [FILE]"
//
//   RANK   a number, or "all"
//   AT     phase:forward, or the begin of a span: io:verified, communication:all_gather
//   COUNT  1: the first time that this is reached
//   WHAT   freeze: SIGSTOP, from the thread that is there. kill: SIGKILL.
//          wait: makes FILE.RANK and waits for FILE.go, a minute at most.
//          told: makes FILE.RANK and waits for a signal that asks to stop, three minutes at most.
//          Neither waits where FILE.RANK is there already: a run that is started again goes on.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

#include "core/base/span.h"
#include "launcher/signals.h"
#include "tests/support/wait_until.h"

namespace {

class Faults final : public edt::SpanListener {
 public:
  // `text`: of the variable; ends the program where it makes no sense.
  explicit Faults(const std::string& text) {
    std::string rank;
    std::istringstream words(text);
    words >> rank >> at_ >> count_ >> what_ >> file_;
    const bool waits = what_ == "wait" || what_ == "told";
    const bool known = what_ == "freeze" || what_ == "kill" || (waits && !file_.empty());
    if (at_.find(':') == at_.npos || count_ < 1 || !known) {
      std::cerr << "EDT_FAULT is '" << text << "'\n";
      std::_Exit(2);
    }
    if (rank == "all" || rank == own_rank()) edt::add_span_listener(*this);
  }

  void begin(const edt::SpanInfo& span) override {
    constexpr const char* kKinds[] = {"compute:", "communication:", "io:"};
    reached(kKinds[static_cast<int>(span.kind)], span.name);
  }
  void end(edt::SpanKind) override {}
  void phase(std::string_view name) override { reached("phase:", name); }

 private:
  // As both mpirun and srun tell it.
  static std::string own_rank() {
    const char* rank = std::getenv("PMIX_RANK");
    return rank == nullptr ? "0" : rank;
  }

  void reached(std::string_view kind, std::string_view name) {
    if (at_.size() != kind.size() + name.size() || !at_.starts_with(kind) || !at_.ends_with(name)) {
      return;
    }
    if (++seen_ == count_) happen();
  }

  void happen() const {
    if (what_ == "kill") kill(getpid(), SIGKILL);
    if (what_ == "freeze") {
      // Long enough to be heard of: ranks say every tenth of the time-out where they are.
      std::this_thread::sleep_for(std::chrono::milliseconds(800));
      kill(getpid(), SIGSTOP);
    }
    if (what_ == "wait") {
      wait_once(std::chrono::minutes(1), [&] { return std::filesystem::exists(file_ + ".go"); });
    }
    if (what_ == "told") {
      wait_once(std::chrono::minutes(3), [] { return edt::StopSignals::signal_number() != 0; });
    }
  }

  template <class Condition>
  void wait_once(std::chrono::minutes limit, Condition is_over) const {
    const std::string mark = file_ + "." + own_rank();
    if (std::filesystem::exists(mark)) return;
    std::ofstream(mark) << getpid() << "\n";
    if (!edt::test::wait_until(is_over, limit)) std::cerr << "EDT_FAULT: waited in vain\n";
  }

  std::string at_, what_, file_;
  int count_ = 0;
  std::atomic<int> seen_ = 0;
};

const char* const kText = std::getenv("EDT_FAULT");
// Never destroyed: threads may mark spans to the very end.
Faults* const kFaults = kText == nullptr ? nullptr : new Faults(kText);

}  // namespace
