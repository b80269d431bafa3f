#include "parallel/health/flight_recorder.h"

#include <algorithm>

#include "core/base/span.h"

namespace edt {
namespace {

// Messages between two ranks are recorded, but the others do not take part in their numbering.
bool is_collective(const Collective& call) {
  return call.operation != "send" && call.operation != "receive";
}

}  // namespace

FlightRecorder::FlightRecorder(std::size_t capacity, Now now)
    : now_(std::move(now)), progress_(now_()), ring_(capacity), ids_(capacity) {
  phase_.since = progress_;
}

void FlightRecorder::phase(std::string_view name) {
  {
    const std::lock_guard lock(mutex_);
    progress_ = now_();
    if (phase_.name != name) {
      phase_.name = name;
      phase_.since = progress_;
    }
  }
  mark_phase(name);
}

FlightRecorder::Clock::time_point FlightRecorder::last_progress() const {
  const std::lock_guard lock(mutex_);
  return progress_;
}

FlightRecorder::Phase FlightRecorder::current_phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

std::vector<FlightRecorder::Place> FlightRecorder::places() const {
  const std::lock_guard lock(mutex_);
  std::vector<Place> all;
  for (const auto& [id, place] : places_) all.push_back(place);
  return all;
}

std::vector<FlightRecorder::Entry> FlightRecorder::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> all;
  const std::uint64_t kept = std::min<std::uint64_t>(begun_, ring_.size());
  for (std::uint64_t i = begun_ - kept; i < begun_; ++i) all.push_back(ring_[i % ring_.size()]);
  return all;
}

void FlightRecorder::joined(const Communicator& communicator) {
  const std::lock_guard lock(mutex_);
  Place& place = places_[communicator.id()];
  place.id = communicator.id();
  place.communicator = communicator.label();
  place.entered = communicator.collectives();
  place.since = now_();
}

void FlightRecorder::left(const Communicator& communicator) {
  const std::lock_guard lock(mutex_);
  places_.erase(communicator.id());
}

std::uint64_t FlightRecorder::begin(const Communicator& communicator, const Collective& call) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t ticket = begun_++;
  const auto now = now_();
  progress_ = now;
  Entry& entry = ring_[ticket % ring_.size()];
  entry.communicator = communicator.label();
  entry.operation = call.operation;
  entry.label = call.label;
  entry.sequence = call.sequence;
  entry.bytes = call.bytes;
  entry.begin = now;
  entry.pending = true;
  std::string& id = ids_[ticket % ring_.size()];
  id.clear();
  if (!is_collective(call)) return ticket;
  id = communicator.id();
  Place& place = places_[id];
  place.operation = call.operation;
  place.label = call.label;
  place.entered = call.sequence;
  place.waiting = true;
  place.since = now;
  return ticket;
}

void FlightRecorder::end(std::uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  const auto now = now_();
  progress_ = now;
  if (begun_ - ticket > ring_.size()) return;  // overwritten meanwhile, by other communicators
  Entry& entry = ring_[ticket % ring_.size()];
  entry.end = now;
  entry.pending = false;
  const auto place = places_.find(ids_[ticket % ring_.size()]);
  if (place == places_.end() || place->second.entered != entry.sequence) return;
  place->second.waiting = false;
  place->second.since = now;
}

}  // namespace edt
