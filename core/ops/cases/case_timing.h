// How long an op case takes.
#pragma once

#include "core/ops/cases/op_case.h"

namespace edt {

struct CaseTiming {
  bool supported = true;
  int rounds = 0;
  double forward_seconds = 0, backward_seconds = 0;  // medians; backward 0 where there is none
  double forward_flops = 0, backward_flops = 0;      // 0 for ops that only move data
  // Every input, result and gradient once.
  double forward_bytes = 0, backward_bytes = 0;
};

// Repeats the case for about `seconds`, at least three times after a first that is not counted.
CaseTiming time_case(const OpCase& op_case, Backend& backend, DType dtype, double seconds);

}  // namespace edt
