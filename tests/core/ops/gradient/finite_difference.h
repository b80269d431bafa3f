// Directional derivatives of an op case by central differences on a float64 tape.
#pragma once

#include <string>
#include <vector>

#include "core/ops/cases/case_run.h"

namespace edt {

struct GradientCheck {
  std::string what;  // "x, direction 0", "weight, element 12"
  double analytic = 0;
  double numeric = 0;
  double scale = 0;  // sum of |gradient * direction|, against which rounding is judged
};

// Every differentiable input along two random directions, and one element at a time for the first,
// the last and the one with the largest gradient.
std::vector<GradientCheck> check_gradients(const OpCase& op_case, Backend& backend);

}  // namespace edt
