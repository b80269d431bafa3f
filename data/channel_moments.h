// Mean and deviation of each channel of many samples.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "data/description.h"

namespace edt::data {

class ChannelMoments {
 public:
  explicit ChannelMoments(std::size_t channels) : sum_(channels), square_(channels) {}

  // A sample [channels, ...].
  void add(std::span<const float> values) {
    const std::size_t plane = values.size() / sum_.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum_[i / plane] += values[i];
      square_[i / plane] += static_cast<double>(values[i]) * values[i];
    }
    count_ += static_cast<double>(plane);
  }

  // A channel that does not move keeps its size: its deviation is 1. How many there are.
  std::size_t store(Description& d) const {
    std::size_t still = 0;
    for (std::size_t c = 0; c < sum_.size(); ++c) {
      const double mean = sum_[c] / count_;
      const double variance = square_[c] / count_ - mean * mean;
      // What differences of squares are rounded by is no movement.
      const bool moves = variance > 1e-12 * (mean * mean);
      still += !moves;
      d.channel_mean.push_back(mean);
      d.channel_std.push_back(moves ? std::sqrt(variance) : 1);
    }
    return still;
  }

 private:
  std::vector<double> sum_, square_;
  double count_ = 0;
};

}  // namespace edt::data
