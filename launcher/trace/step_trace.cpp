#include "launcher/trace/step_trace.h"

#include <charconv>
#include <utility>

#include "core/base/log.h"
#include "launcher/trace/trace_file.h"

namespace edt {

TracedSteps parse_traced_steps(const std::string& text) {
  TracedSteps steps;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, steps.first);
  steps.last = steps.first;
  auto last = first;
  if (std::string_view(first.ptr, end).starts_with("..")) {
    last = std::from_chars(first.ptr + 2, end, steps.last);
  }
  require<UsageError>(first.ec == std::errc() && last.ec == std::errc() && last.ptr == end &&
                          steps.first >= 1 && steps.last >= steps.first,
                      "options", "run.profile-steps is '{}', must be FIRST..LAST, from 1", text);
  return steps;
}

StepTrace::StepTrace(TracedSteps steps, std::filesystem::path file, Communicator& ranks,
                     std::function<void()> may_write)
    : steps_(steps), file_(std::move(file)), ranks_(ranks), may_write_(std::move(may_write)) {}

void StepTrace::step_begins(std::int64_t step) {
  ++seen_;
  if (seen_ > steps_.last) return finish();
  if (seen_ < steps_.first) return;
  if (!recorder_) {
    recorder_ = std::make_unique<TraceRecorder>(kCapacity);
    clock_ = compare_clocks(ranks_);
    recorder_->start();
    first_ = step;
  }
  recorder_->step(fmt::format("step {}", step));
  last_ = step;
}

void StepTrace::finish() {
  if (!recorder_ || std::exchange(written_, true)) return;
  const SpanRecord record = recorder_->stop();
  const double accuracy =
      ranks_.all_reduce_value(clock_.accuracy, Reduce::kMax, "accuracy of clocks");
  const auto dropped =
      ranks_.all_reduce_value(static_cast<double>(record.dropped), Reduce::kSum, "dropped events");
  if (ranks_.is_root()) may_write_();
  write_trace(file_, trace_events(record, ranks_.rank(), ranks_.host(), clock_), ranks_);
  if (!ranks_.is_root()) return;
  log::info("trace of steps {}..{}: {}; clocks within {:.1f} us{}", first_, last_, file_.string(),
            accuracy * 1e-3,
            dropped > 0 ? fmt::format(", {:.0f} events were too many", dropped) : "");
}

}  // namespace edt
