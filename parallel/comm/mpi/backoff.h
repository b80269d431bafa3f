// How to wait for something that only polling shows, without taking the processor from ranks that
// compute: a short spin for what is about to arrive, a few yields, then sleeps. By the clock: on a
// busy machine one yield lasts as long as the time slices of all who want the core, while a sleeper
// is served when it wakes.
#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/base/clock.h"

namespace edt {

class Backoff {
 public:
  void pause() {
    const auto waited = Clock::now() - begin_;
    if (waited < kSpin) return;
    if (waited < kYield) {
      sched_yield();
      return;
    }
    std::this_thread::sleep_for(sleep_);
    sleep_ = std::min(sleep_ * 5 / 4, kLongest);
  }

 private:
  using Microseconds = std::chrono::microseconds;
  static constexpr Microseconds kSpin{20}, kYield{200}, kLongest{500};

  Clock::time_point begin_ = Clock::now();
  Microseconds sleep_{20};
};

}  // namespace edt
