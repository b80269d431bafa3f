// What this rank did last: the phase of the step it is in, and the last collectives with their
// times. Handed to a communicator with set_observer(); those split from it inherit it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>

#include "parallel/comm/communicator.h"

namespace edt {

class FlightRecorder final : public CollectiveObserver {
 public:
  using Clock = std::chrono::system_clock;  // comparable between ranks

  struct Entry {
    std::string communicator, operation, label;
    std::uint64_t sequence = 0;
    std::size_t bytes = 0;
    Clock::time_point begin, end;
    bool pending = true;  // not ended: it waits, or has failed
  };
  // The last collective of one communicator.
  struct Place {
    std::string id, communicator, operation, label;
    std::uint64_t entered = 0;  // its number; 0: none yet
    bool waiting = false;       // else it is done
    Clock::time_point since;    // when it began, or ended
  };
  struct Phase {
    std::string name = "start";
    Clock::time_point since;
  };

  using Now = std::function<Clock::time_point()>;

  // `now` is for tests, which have a time of their own.
  explicit FlightRecorder(
      std::size_t capacity = 256, Now now = [] { return Clock::now(); });
  Clock::time_point now() const { return now_(); }

  // "data", "forward", "checkpoint", ... Each call is a sign of progress, as each collective is.
  void phase(std::string_view name);

  Phase current_phase() const;
  // When the last sign of progress was.
  Clock::time_point last_progress() const;
  std::vector<Place> places() const;
  // Oldest first.
  std::vector<Entry> entries() const;

  void joined(const Communicator& communicator) override;
  void left(const Communicator& communicator) override;
  std::uint64_t begin(const Communicator& communicator, const Collective& call) override;
  void end(std::uint64_t ticket) override;

 private:
  const Now now_;
  mutable std::mutex mutex_;
  Phase phase_;
  Clock::time_point progress_;
  std::vector<Entry> ring_;
  std::vector<std::string> ids_;  // of the communicators in ring_
  std::uint64_t begun_ = 0;
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace edt
