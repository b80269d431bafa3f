// Keeps what this rank does while it records, in bounded memory.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/span.h"

namespace edt {

// Events of one kind on one thread: they nest, and a viewer shows them below each other.
struct SpanTrack {
  std::string name;  // "communication, queue"
  int order = 0;     // among the tracks of a rank, from the top
};

struct RecordedSpan {
  std::uint32_t track = 0, name = 0, label = 0, group = 0,
                shape = 0;          // texts: places in SpanRecord::texts
  std::int64_t begin = 0, end = 0;  // ns of the steady clock of this rank
  std::uint64_t sequence = 0;
  double bytes = 0, flops = 0;
};

struct SpanRecord {
  std::vector<SpanTrack> tracks;
  std::vector<std::string> texts{""};
  std::vector<RecordedSpan> events;  // by the time of their ends
  std::uint64_t dropped = 0;         // events beyond the capacity
};

class TraceRecorder final : public SpanListener {
 public:
  explicit TraceRecorder(std::size_t capacity) : capacity_(capacity) {}
  ~TraceRecorder() override { remove_span_listener(*this); }
  TraceRecorder(const TraceRecorder&) = delete;
  TraceRecorder& operator=(const TraceRecorder&) = delete;

  // Threads that mark spans meanwhile may still be inside when stop() returns: the recorder
  // outlives them.
  void start();
  // What began and has not ended by then is left out, but for the phase and the step.
  SpanRecord stop();
  // Names what follows, until the next step: "step 12".
  void step(std::string_view name);

  void begin(const SpanInfo& span) override;
  void end(SpanKind kind) override;
  void phase(std::string_view name) override;

  static std::int64_t now() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  }

 private:
  // An event that lasts until the next one on its track.
  struct Lasting {
    RecordedSpan event;
    bool open = false;
  };
  void change(Lasting& lasting, std::string_view track, int order, std::string_view name);
  void close(Lasting& lasting, std::int64_t now);
  void keep(const RecordedSpan& event);
  std::uint32_t track_of(std::string_view name, int order);
  std::uint32_t text_of(std::string_view text);

  const std::size_t capacity_;
  std::atomic<std::uint64_t> recording_ = 0;  // number of the recording; 0: none
  std::mutex mutex_;
  SpanRecord record_;
  std::map<std::string, std::uint32_t, std::less<>> tracks_, texts_;
  Lasting phase_, step_;
};

}  // namespace edt
