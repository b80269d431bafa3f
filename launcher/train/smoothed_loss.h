// The training loss as checkpoints are ranked by: a running mean over about 100 steps. What it is
// after a step depends on the steps alone, not on interruptions: checkpoints keep it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace edt {

class SmoothedLoss {
 public:
  // The loss of step `step`, from 1; one that was rejected is left out.
  void add(std::int64_t step, double loss) {
    constexpr std::int64_t kWindow = 100;
    const auto weight = 1.0 / static_cast<double>(std::clamp<std::int64_t>(step, 1, kWindow));
    value_ = value_ ? *value_ + weight * (loss - *value_) : loss;
  }
  void restore(std::optional<double> value) { value_ = value; }
  // Nothing before the first step, or where an older run kept none.
  std::optional<double> value() const { return value_; }

 private:
  std::optional<double> value_;
};

}  // namespace edt
