// Several linear maps of one input, whose results are computed at once, ahead of their use: small
// products that a GPU is not filled by, as the adaLN projections of a stage.
#pragma once

#include <vector>

#include "core/ops/linear.h"

namespace edt {

class LinearsAhead {
 public:
  struct Map {
    Parameter* weight;
    Parameter* bias;
  };

  // Weights of one shape. Computes where all of them are at hand; where some are still arriving
  // nothing is waited for here, and ternary weights are not all quantized at once.
  LinearsAhead(Tape& tape, const Var& x, std::vector<Map> maps);

  // As linear() by the i-th map, called here: same bits, and its backward has its place here, so
  // that gradients are added in the same order and are final as early.
  Var take(Tape& tape, std::size_t i) const;

 private:
  bool is_resident(const Tape& tape) const;
  Tensor result(std::size_t i) const;

  Var x_;
  std::vector<Map> maps_;
  Shape shape_;  // of a result
  Var results_;  // all of them, each as aligned as a value of its own; empty: not computed
};

}  // namespace edt
