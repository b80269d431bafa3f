// Optimizers of shards in host memory: pieces that stay in cache, spread over the threads.
#pragma once

#include "core/optim/optimizer.h"

namespace edt {

class HostOptimizer : public Optimizer {
 public:
  void update(const UpdateArgs& args) const final;
  void square_sums(std::span<const float> values, std::span<const ElementRange> left_out,
                   std::span<double> sums) const final {
    block_square_sums(values, left_out, sums);
  }
  void follow(std::span<const float> params, std::span<float> average, float take) const final;

 private:
  // Advances elements [begin, end); thread-safe on disjoint ranges.
  virtual void advance(const UpdateArgs& args, std::size_t begin, std::size_t end) const = 0;
};

}  // namespace edt
