// Builds a trace. Backend, communicators, optimizer and queue of a planned step all report here.
#pragma once

#include <map>

#include "core/ops/operands.h"
#include "model/plan/trace.h"
#include "parallel/zero/communication_queue.h"

namespace edt {

// What tells kernels apart: name, shapes, types, flags.
class KernelKey {
 public:
  void add(std::int64_t number) { numbers_.push_back(number); }
  void add(const Tensor& tensor);
  void add(const GradTarget& target);
  void add(const Columns& columns);
  template <HasOperands T>
  void add(const T& operands) {
    for_each_operand(operands, [this](const auto& operand) { this->add(operand); });
  }
  template <class Kind>
  requires std::is_enum_v<Kind>
  void add(Kind kind) { add(static_cast<std::int64_t>(kind)); }
  void add(const random::StreamKey&) {}
  void add(double) {}
  void add(const void*) {}

  const std::vector<std::int64_t>& numbers() const { return numbers_; }
  // Bytes of all operands; those that are added to count twice.
  double bytes() const { return bytes_; }
  std::string text() const;

 private:
  std::vector<std::int64_t> numbers_;
  double bytes_ = 0;
};

class Recorder final : public QueueObserver {
 public:
  explicit Recorder(bool keep_replays) : keep_replays_(keep_replays) {}

  // Nothing is kept while paused.
  void pause() { recording_ = false; }
  void resume() { recording_ = true; }
  // Forgets the events so far; kernels keep their numbers.
  void clear();
  bool recording() const { return recording_; }
  bool keeps_replays() const { return keep_replays_; }

  // The kernel where it is called for the first time at these shapes, to be described: what the
  // key does not say. Else, and while paused, nullptr.
  Kernel* kernel(std::string_view name, KernelClass kind, DType dtype, const KernelKey& key,
                 Replay replay = {});
  void collective(const PlannedCollective& collective);

  void task_begins(std::uint64_t ticket) override { add(TraceEvent::Type::kTaskBegin, 0, ticket); }
  void task_ends(std::uint64_t ticket) override { add(TraceEvent::Type::kTaskEnd, 0, ticket); }
  void waits_for(std::uint64_t ticket) override { add(TraceEvent::Type::kWait, 0, ticket); }

  Trace take() { return std::move(trace_); }

 private:
  void add(TraceEvent::Type type, std::size_t index, std::uint64_t ticket = 0);

  struct Hash {
    std::size_t operator()(const std::vector<std::int64_t>& numbers) const;
  };

  Trace trace_;
  std::unordered_map<std::vector<std::int64_t>, std::uint32_t, Hash> kernel_index_;
  bool recording_ = true, keep_replays_;
};

}  // namespace edt
