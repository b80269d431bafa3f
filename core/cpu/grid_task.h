// What the kernels of the state-space layer are told of their work.
#pragma once

#include "core/ops/token_grid.h"

namespace edt {

// Channels `first` ... of all samples, for one thread.
struct GridTask {
  TokenGrid grid;
  std::int64_t batch, channels, directions, first, width;
  bool backward = false, accumulate = false;
};

// Tables [planes, groups or outputs, size]: the first two planes are real parts.
struct StateForm {
  std::int64_t planes, groups, size, outputs;
  bool complex() const { return planes == 4; }
};

}  // namespace edt
