// Sizes of the tables of the state-space layer.
#pragma once

#include <cstdint>

namespace edt {

// Tables [planes, groups or outputs, size]: the first two planes are real parts.
struct StateForm {
  std::int64_t planes, groups, size, outputs;
  bool complex() const { return planes == 4; }
};

}  // namespace edt
