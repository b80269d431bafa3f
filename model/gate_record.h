// The gates of a training step on their way through a network (DyDiT, arXiv 2410.03456): the draws
// that go in, and what they decide, which the FLOP term reads. Without one, as in sampling and
// evaluation, nothing is drawn, and all rows have gates.
#pragma once

#include <utility>
#include <vector>

#include "core/ops/unit_gate.h"

namespace edt {

class GateRecord {
 public:
  // For passes whose first rows have gates, as many as `draws` [rows, N] has; others go through the
  // complete network. `tau`: of the slopes.
  void begin(const Tensor& draws, double tau) {
    draws_ = draws;
    tau_ = tau;
    next_ = 0;
  }
  std::int64_t rows() const { return draws_.shape[0]; }
  // Where the draws of the next block's gates begin.
  GateNoise take(std::int64_t gates) { return {draws_, std::exchange(next_, next_ + gates), tau_}; }

  void add(GatedBlock block) { blocks_.push_back(std::move(block)); }
  const std::vector<GatedBlock>& blocks() const { return blocks_; }
  // Lets go of all values: before the tape is cleared.
  void clear() { blocks_.clear(); }

 private:
  Tensor draws_;
  double tau_ = 1;
  std::int64_t next_ = 0;
  std::vector<GatedBlock> blocks_;
};

}  // namespace edt
