// Whether two checkpoints hold the same bits, whatever layouts wrote them.
#pragma once

#include <string>

#include "parallel/checkpoint/checkpoint.h"

namespace edt {

struct CheckpointComparison {
  std::size_t arrays = 0, extras = 0;
  std::int64_t values = 0;  // compared, of all arrays
  // The first difference, with both values; empty: the same step and the same bits everywhere.
  std::string difference;
};

CheckpointComparison compare(const Checkpoint& a, const Checkpoint& b);

}  // namespace edt
