#include "launcher/trace/trace_recorder.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace edt {
namespace {

// Of this thread: the open spans of one recording, innermost last, by kind.
struct OpenSpans {
  std::uint64_t recording = 0;
  std::array<std::vector<RecordedSpan>, 3> kinds;

  std::vector<RecordedSpan>& of(SpanKind kind, std::uint64_t present) {
    if (std::exchange(recording, present) != present) kinds = {};
    return kinds[static_cast<std::size_t>(kind)];
  }
};
thread_local OpenSpans open_spans;
std::atomic<std::uint64_t> recordings{0};

constexpr std::array<std::string_view, 3> kKindNames{"compute", "communication", "I/O"};
enum Order { kSteps, kPhases, kKinds };

}  // namespace

void TraceRecorder::start() {
  const std::lock_guard lock(mutex_);
  record_ = {};
  record_.events.reserve(capacity_);
  tracks_.clear();
  texts_.clear();
  recording_ = ++recordings;
  add_span_listener(*this);
}

SpanRecord TraceRecorder::stop() {
  remove_span_listener(*this);
  recording_ = 0;
  const std::lock_guard lock(mutex_);
  const std::int64_t end = now();
  close(phase_, end);
  close(step_, end);
  return std::exchange(record_, {});
}

void TraceRecorder::begin(const SpanInfo& span) {
  const std::uint64_t recording = recording_;
  if (recording == 0) return;
  const std::lock_guard lock(mutex_);
  const auto kind = static_cast<std::size_t>(span.kind);
  const std::string thread = span_thread();
  const std::string track = std::string(kKindNames[kind]) + (thread.empty() ? "" : ", " + thread);
  open_spans.of(span.kind, recording)
      .push_back(
          {.track = track_of(track, kKinds + 2 * static_cast<int>(kind) + (thread.empty() ? 0 : 1)),
           .name = text_of(span.name),
           .label = text_of(span.label),
           .group = text_of(span.group),
           .shape = text_of(span.shape),
           .begin = now(),
           .sequence = span.sequence,
           .bytes = span.bytes,
           .flops = span.flops});
}

void TraceRecorder::end(SpanKind kind) {
  const std::uint64_t recording = recording_;
  if (recording == 0) return;
  auto& open = open_spans.of(kind, recording);
  if (open.empty()) return;  // begun before the recording
  const std::lock_guard lock(mutex_);
  RecordedSpan event = open.back();
  open.pop_back();
  event.end = now();
  keep(event);
}

void TraceRecorder::phase(std::string_view name) {
  if (recording_ != 0) change(phase_, "phases", kPhases, name);
}

void TraceRecorder::step(std::string_view name) {
  if (recording_ != 0) change(step_, "steps", kSteps, name);
}

void TraceRecorder::change(Lasting& lasting, std::string_view track, int order,
                           std::string_view name) {
  const std::lock_guard lock(mutex_);
  const std::int64_t time = now();
  const std::uint32_t text = text_of(name);
  if (lasting.open && lasting.event.name == text) return;
  close(lasting, time);
  lasting = {{.track = track_of(track, order), .name = text, .begin = time}, true};
}

void TraceRecorder::close(Lasting& lasting, std::int64_t now) {
  if (!std::exchange(lasting.open, false)) return;
  lasting.event.end = now;
  keep(lasting.event);
}

void TraceRecorder::keep(const RecordedSpan& event) {
  if (record_.events.size() < capacity_) {
    record_.events.push_back(event);
  } else {
    ++record_.dropped;
  }
}

std::uint32_t TraceRecorder::track_of(std::string_view name, int order) {
  const auto known = tracks_.find(name);
  if (known != tracks_.end()) return known->second;
  const auto place = static_cast<std::uint32_t>(record_.tracks.size());
  record_.tracks.push_back({std::string(name), order});
  tracks_.emplace(name, place);
  return place;
}

std::uint32_t TraceRecorder::text_of(std::string_view text) {
  if (text.empty()) return 0;
  const auto known = texts_.find(text);
  if (known != texts_.end()) return known->second;
  constexpr std::size_t kMost = 1 << 16;
  if (record_.texts.size() >= kMost) return 0;
  const auto place = static_cast<std::uint32_t>(record_.texts.size());
  record_.texts.emplace_back(text);
  texts_.emplace(text, place);
  return place;
}

}  // namespace edt
