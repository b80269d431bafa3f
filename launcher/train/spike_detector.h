// Steps whose loss or gradient norm stands out from those before: so many standard deviations above
// the mean of a window.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>

#include "parallel/comm/communicator.h"

namespace edt {

class SpikeDetector {
 public:
  // `threshold` in standard deviations; 0: nothing ever stands out.
  SpikeDetector(double threshold, std::int64_t window);

  // The values of the last steps before `first_step`, from the metrics of the run: a resumed run
  // judges as one that was never interrupted. The first rank reads; all ranks call it.
  void resume(const std::filesystem::path& metrics, std::int64_t first_step, Communicator& ranks);

  // Why the step stands out, with both values: "loss 5.2 is 9.1 deviations above 0.31". Empty: it
  // does not, or fewer steps than half a window are known, or ten in a row were rejected already
  // (then it is a new level, not a spike).
  std::string judge(double loss, double grad_norm) const;
  // Takes up a step that counts as normal; one that was rejected is counted only.
  void accept(double loss, double grad_norm);
  void reject() { ++rejected_; }

 private:
  struct Values {
    double loss, grad_norm;
  };
  std::string judge(double value, double Values::*which, std::string_view name) const;

  double threshold_;
  std::size_t window_;
  std::deque<Values> values_;
  int rejected_ = 0;  // in a row
};

}  // namespace edt
