// Time that passes only as a test lets it, and only while the watchdogs of all ranks keep up: how
// long a thread waits for a processor decides nothing.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "parallel/health/watchdog.h"
#include "tests/support/wait_until.h"

namespace edt::test {

class WatchTime {
 public:
  static constexpr Seconds kStep{0.05};

  explicit WatchTime(int ranks) : ranks_(static_cast<std::size_t>(ranks)) {}

  // For WatchdogOptions::now of a rank: the begin of a look.
  Clock::time_point look(int rank) {
    ++ranks_[static_cast<std::size_t>(rank)].looks;
    return steady_begin_ + std::chrono::duration_cast<Clock::duration>(elapsed());
  }
  // For the flight recorder.
  FlightRecorder::Clock::time_point wall() const {
    return wall_begin_ + std::chrono::duration_cast<FlightRecorder::Clock::duration>(elapsed());
  }
  // A rank that looks no more.
  void leave(int rank) { ranks_[static_cast<std::size_t>(rank)].gone = true; }

  // In steps; in each, every rank looks twice at least.
  void pass(Seconds time, Seconds step = kStep) {
    const std::lock_guard one_at_a_time(mutex_);
    for (Seconds left = time; left.count() > 0; left -= step) {
      elapsed_us_ += static_cast<std::int64_t>(1e6 * step.count());
      std::vector<int> before;
      for (const Rank& rank : ranks_) before.push_back(rank.looks);
      EXPECT_TRUE(wait_until([&] { return all_have_looked(before); }));
    }
  }

 private:
  struct Rank {
    std::atomic<int> looks = 0;
    std::atomic<bool> gone = false;
  };

  Seconds elapsed() const { return Seconds(static_cast<double>(elapsed_us_) * 1e-6); }

  // What one says in its first look another reads in a look that begins after it.
  bool all_have_looked(const std::vector<int>& before) const {
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      if (!ranks_[r].gone && ranks_[r].looks < before[r] + 2) return false;
    }
    return true;
  }

  const Clock::time_point steady_begin_ = Clock::now();
  const FlightRecorder::Clock::time_point wall_begin_ = FlightRecorder::Clock::now();
  std::atomic<std::int64_t> elapsed_us_ = 0;
  std::vector<Rank> ranks_;
  std::mutex mutex_;
};

}  // namespace edt::test
