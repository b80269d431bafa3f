// How long a count has stood still, in the time in which somebody looks: a process that was frozen
// for a while has not stood still for that long.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/base/clock.h"

namespace edt {

class Stillness {
 public:
  using Seconds = std::chrono::duration<double>;

  explicit Stillness(Clock::time_point now) : before_(now) {}

  // At `now`. From one look to the next no more than `most` counts.
  Seconds look(std::uint64_t count, Clock::time_point now, Seconds most) {
    still_ = count == count_ ? still_ + std::min(Seconds(now - before_), most) : Seconds(0);
    before_ = now;
    count_ = count;
    return still_;
  }

 private:
  Clock::time_point before_;
  std::uint64_t count_ = 0;
  Seconds still_{0};
};

}  // namespace edt
