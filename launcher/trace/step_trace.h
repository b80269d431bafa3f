// Traces some steps of a run: run.profile=trace.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "launcher/trace/clock_offset.h"
#include "launcher/trace/trace_recorder.h"
#include "parallel/comm/communicator.h"

namespace edt {

// Steps as they are counted from where this start of the run begins, from 1.
struct TracedSteps {
  std::int64_t first = 2, last = 4;
};
// "2..4", "7"; UsageError for anything else.
TracedSteps parse_traced_steps(const std::string& text);

class StepTrace {
 public:
  // Records nothing yet. `may_write` throws where the run has been replaced.
  StepTrace(TracedSteps steps, std::filesystem::path file, Communicator& ranks,
            std::function<void()> may_write);

  // Before each step, on all ranks; `step` is its number in the run. Begins and ends the recording.
  void step_begins(std::int64_t step);
  // When there is no further step: writes what was recorded.
  void finish();

 private:
  static constexpr std::size_t kCapacity = std::size_t{1} << 18;  // events; 18 MiB

  TracedSteps steps_;
  std::filesystem::path file_;
  Communicator& ranks_;
  std::function<void()> may_write_;
  std::int64_t seen_ = 0, first_ = 0, last_ = 0;
  ClockOffset clock_;
  std::unique_ptr<TraceRecorder> recorder_;  // outlives the threads that it listens to
  bool written_ = false;
};

}  // namespace edt
