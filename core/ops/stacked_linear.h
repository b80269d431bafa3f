// Three linear maps of one input as one product: those to query, key and value, where their
// parameters have been published apart.
#pragma once

#include <array>

#include "core/ops/kernel.h"

namespace edt {

struct StackedMap {
  Parameter* weight;  // [N, K]
  Parameter* bias;    // [N]
};

// x [..., K] -> [..., 3 N], the results side by side. The weights, of one shape and dense, are
// copied one below the other, for as long as the product takes.
Var stacked_linear(Tape& tape, const Var& x, const std::array<StackedMap, 3>& maps);

}  // namespace edt
