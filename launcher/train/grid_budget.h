// Keeps what sample grids take within a share of a run's time.
#pragma once

#include <cstdint>

namespace edt {

class GridBudget {
 public:
  // 1: no bound.
  explicit GridBudget(double share) : share_(share) {}

  // Whether there is a bound to ask about.
  bool bounded() const { return share_ < 1; }
  // Whether one that takes as long as the last stays within it, `elapsed` seconds after the start,
  // grids included. The first one is free: nobody knows what it takes.
  bool allows(double elapsed) const {
    return grids_ == 0 || !bounded() || spent_ + last_ <= share_ * (elapsed + last_);
  }
  void drew(double seconds) {
    ++grids_;
    spent_ += seconds;
    last_ = seconds;
  }
  // That they have taken so far.
  double share_of(double elapsed) const { return elapsed > 0 ? spent_ / elapsed : 0; }

 private:
  double share_, spent_ = 0, last_ = 0;
  std::int64_t grids_ = 0;
};

}  // namespace edt
