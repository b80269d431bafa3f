// Faults of a program that is edt otherwise. It listens to the marks that profiles are made of
// (core/base/span.h), so edt itself neither knows of faults nor reads the variable:
//
//   EDT_FAULT="RANK AT COUNT WHAT [FILE]", or several of them with ';' between
//
//   RANK   a number, or "all"
//   AT     phase:forward, or the begin of a span: io:verified, communication:all_gather, or a call
//          of a kernel or of make_order: call:linear_forward; or the end of a collective:
//          result:reduce_scatter
//   COUNT  1: the first time that this is reached; a collective of ranks that are recorded or go
//          wrong marks its span once for itself and once for the ranks below
//   WHAT   freeze: SIGSTOP, from the thread that is there, when the watchdog has said that it is
//          there. kill: SIGKILL.
//          wait: makes FILE.RANK and waits for FILE.go.
//          told: makes FILE.RANK and waits for a signal that asks to stop.
//          Both wait for three minutes at most, and not where FILE.RANK is there already: a run
//          that is started again goes on.
//          spoil: one value of what the call writes, or the collective gives, is another. reorder:
//          make_order gives the order of another seed. skip: the next CommunicationQueue::wait
//          does not wait, and what is gathered from now on comes with the wait after that one.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "core/base/span.h"
#include "launcher/signals.h"
#include "tests/faults/faults.h"
#include "tests/support/wait_until.h"

namespace {

// Of CommunicationQueue::wait.
enum class Skip { kNone, kNext, kDone, kOver };
std::atomic<Skip> skip = Skip::kNone;

// As both mpirun and srun tell it.
std::string own_rank() {
  const char* rank = std::getenv("PMIX_RANK");
  return rank == nullptr ? "0" : rank;
}

template <class Condition>
void wait_for(std::chrono::minutes limit, Condition is_over) {
  if (!edt::test::wait_until(is_over, limit)) std::cerr << "EDT_FAULT: waited in vain\n";
}

class Fault {
 public:
  // `text`: one of the variable's; ends the program where it makes no sense.
  explicit Fault(const std::string& text) {
    std::istringstream words(text);
    words >> rank_ >> at_ >> count_ >> what_ >> file_;
    const bool waits = what_ == "wait" || what_ == "told";
    const bool known = what_ == "freeze" || what_ == "kill" || what_ == "spoil" ||
                       what_ == "reorder" || what_ == "skip" || (waits && !file_.empty());
    if (at_.find(':') == at_.npos || count_ < 1 || !known) {
      std::cerr << "EDT_FAULT has '" << text << "'\n";
      std::_Exit(2);
    }
  }

  bool is_for(const std::string& rank) const { return rank_ == "all" || rank_ == rank; }

  // Whether it is time. `reports`: how often the watchdog has said where this rank is.
  bool reached(std::string_view kind, std::string_view name, const std::atomic<int>& reports) {
    if (at_.size() != kind.size() + name.size() || !at_.starts_with(kind) || !at_.ends_with(name)) {
      return false;
    }
    if (++seen_ != count_) return false;
    happen(reports);
    return true;
  }
  bool is_of(std::string_view kind) const { return at_.starts_with(kind); }

 private:
  void happen(const std::atomic<int>& reports) const {
    if (what_ == "kill") kill(getpid(), SIGKILL);
    if (what_ == "skip") skip = Skip::kNext;
    if (what_ == "freeze") {
      // The first report that follows may have been put together before.
      wait_for(std::chrono::minutes(1), [&, enough = reports + 2] { return reports >= enough; });
      kill(getpid(), SIGSTOP);
    }
    if (what_ == "wait") {
      wait_once([&] { return std::filesystem::exists(file_ + ".go"); });
    }
    if (what_ == "told") {
      wait_once([] { return edt::StopSignals::signal_number() != 0; });
    }
  }

  template <class Condition>
  void wait_once(Condition is_over) const {
    const std::string mark = file_ + "." + own_rank();
    if (std::filesystem::exists(mark)) return;
    std::ofstream(mark) << getpid() << "\n";
    wait_for(std::chrono::minutes(3), is_over);
  }

  std::string rank_, at_, what_, file_;
  int count_ = 0;
  std::atomic<int> seen_ = 0;
};

class Faults final : public edt::SpanListener {
 public:
  explicit Faults(const std::string& text) {
    std::istringstream faults(text);
    for (std::string fault; std::getline(faults, fault, ';');) {
      all_.emplace_back(fault);
      if (!all_.back().is_for(own_rank())) all_.pop_back();
    }
    if (!all_.empty()) edt::add_span_listener(*this);
  }

  void begin(const edt::SpanInfo& span) override {
    constexpr const char* kKinds[] = {"compute:", "communication:", "io:"};
    reached(kKinds[static_cast<int>(span.kind)], span.name);
    const bool is_late = skip == Skip::kNext || skip == Skip::kDone;
    if (is_late && span.kind == edt::SpanKind::kCommunication && span.name == "all_gather") {
      wait_for(std::chrono::minutes(1), [] { return skip == Skip::kOver; });
    }
  }
  void end(edt::SpanKind) override {}
  void phase(std::string_view name) override { reached("phase:", name); }
  void reported() override { ++reports_; }

  bool has_any_of(std::string_view kind) const {
    return std::ranges::any_of(all_, [&](const Fault& fault) { return fault.is_of(kind); });
  }
  // Whether a fault is asked for here.
  bool reached(std::string_view kind, std::string_view name) {
    bool is_asked_for = false;
    for (Fault& fault : all_) is_asked_for |= fault.reached(kind, name, reports_);
    return is_asked_for;
  }

 private:
  std::deque<Fault> all_;
  std::atomic<int> reports_ = 0;
};

const char* const kText = std::getenv("EDT_FAULT");
// Never destroyed: threads may mark spans to the very end.
Faults* const kFaults = kText == nullptr ? nullptr : new Faults(kText);

}  // namespace

namespace edt::test {

bool call_goes_wrong(std::string_view name) {
  return kFaults != nullptr && kFaults->reached("call:", name);
}
bool result_goes_wrong(std::string_view collective) {
  return kFaults != nullptr && kFaults->reached("result:", collective);
}
bool skips_this_wait() {
  const bool is_skipped = skip == Skip::kNext;
  if (skip == Skip::kDone) skip = Skip::kOver;
  if (is_skipped) skip = Skip::kDone;
  return is_skipped;
}
bool has_faulty_calls() { return kFaults != nullptr && kFaults->has_any_of("call:"); }
bool has_faulty_results() { return kFaults != nullptr && kFaults->has_any_of("result:"); }

}  // namespace edt::test
