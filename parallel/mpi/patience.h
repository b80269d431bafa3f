// How to wait for something that only polling shows, without taking the processor from ranks that
// compute: a short spin for what is about to arrive, then yields, then sleeps.
#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace edt {

class Patience {
 public:
  void pause() {
    constexpr int kSpins = 200, kYields = 1000;  // a spin polls once: about 100 ns
    if (++rounds_ <= kSpins) return;
    if (rounds_ <= kSpins + kYields) {
      sched_yield();
      return;
    }
    std::this_thread::sleep_for(sleep_);
    sleep_ = std::min(2 * sleep_, kLongest);
  }

 private:
  static constexpr std::chrono::microseconds kLongest{500};

  int rounds_ = 0;
  std::chrono::microseconds sleep_{20};
};

}  // namespace edt
