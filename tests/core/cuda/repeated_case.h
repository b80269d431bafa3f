// Whether an op case has the same bits again and again. Inputs are made once; on a GPU forward and
// backward are a graph from the second time on, so that hundreds of times fit into a second.
#pragma once

#include <string>

#include "core/ops/cases/op_case.h"

namespace edt::test {

struct Repeats {
  int times = 0;        // that were run after the first
  std::string differs;  // what had other bits, and when; empty: nothing
};

// `most` times, or fewer (one at least) where `seconds` are over before.
Repeats repeat_case(const OpCase& op_case, Backend& backend, DType dtype, int most, double seconds);

}  // namespace edt::test
