// Work on pictures beside the library's convolutions on the same shapes alone, in turns, so that
// both see the same machine.
#pragma once

#include <functional>
#include <span>

#include "core/ops/backend.h"

namespace edt {

struct CeilingTurns {
  std::size_t rounds = 0;
  double seconds = 0;  // of a round, the median
  double fastest_seconds = 0;
  double ceiling_seconds = 0;  // of all its convolutions by the library alone; 0: there is none

  // The library does the same convolutions in this part of the time.
  double share() const { return ceiling_seconds / seconds; }
};

// At least two rounds, for `seconds`. `calls`: the convolutions of a round, which has run before.
CeilingTurns take_turns(const std::function<void()>& round, std::span<const ConvolutionCall> calls,
                        Backend& backend, DType dtype, double seconds);

}  // namespace edt
