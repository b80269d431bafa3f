// What this process is doing, for profiles: ops, collectives, phases of a step, reading and writing
// say here when they begin and end. Mostly nobody listens; then that costs one load. A trace
// (launcher/trace) and NVTX ranges (core/cuda) are the listeners.
#pragma once

#include <cstdint>
#include <string_view>

namespace edt {

enum class SpanKind : std::uint8_t { kCompute, kCommunication, kIo };

// Views need to last until the span begins, no longer.
struct SpanInfo {
  SpanKind kind = SpanKind::kCompute;
  std::string_view name;       // "linear.forward", "all_gather"
  std::string_view label{};    // of what: "weights of blocks.3"
  std::string_view group{};    // the communicator's id
  std::uint64_t sequence = 0;  // of a collective, in its communicator; 0: none
  double bytes = 0, flops = 0;
  std::string_view shape{};  // "[8, 256, 384]"
};

class SpanListener {
 public:
  virtual ~SpanListener() = default;
  // Spans of one thread and kind nest. Called on that thread; a begin may have been missed, where
  // the listener was added after it.
  virtual void begin(const SpanInfo& span) = 0;
  virtual void end(SpanKind kind) = 0;
  // A phase lasts until the next one.
  virtual void phase(std::string_view name) = 0;
  // The watchdog has told the others where this rank is.
  virtual void reported() {}
};

// At most two at a time. Removed before it goes, when no thread marks spans any more.
void add_span_listener(SpanListener& listener);
void remove_span_listener(SpanListener& listener);
bool spans_are_heard();

void begin_span(const SpanInfo& span);
void end_span(SpanKind kind);
void mark_phase(std::string_view name);
void mark_report();

// The shape that ops of this thread work on: of what they write, or in the backward of its
// gradient.
void set_span_shape(std::string_view shape);
std::string_view span_shape();

// Spans of this thread are said to be of "reader"; a string literal. "": the main thread.
void name_span_thread(const char* name);
const char* span_thread();

class Span {
 public:
  explicit Span(const SpanInfo& span) : kind_(span.kind), heard_(spans_are_heard()) {
    if (heard_) begin_span(span);
  }
  ~Span() {
    if (heard_) end_span(kind_);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  SpanKind kind_;
  bool heard_;
};

}  // namespace edt
