// How far the values of two backends are apart.
#pragma once

#include <string>

#include "core/ops/cases/case_run.h"

namespace edt {

// Element-wise: |a - b| <= element * (|b| + rms(b)). Over the tensor: |a - b|_2 <= total * |b|_2.
struct Tolerance {
  double element, total;
};

// What a backend may differ by in a dtype, times the case's own factor.
Tolerance tolerance_of(DType dtype, const OpCase& op_case);

// Empty when `actual` is within tolerance of `expected`, else what is not, with both values.
std::string difference(const std::vector<CaseValues>& actual,
                       const std::vector<CaseValues>& expected, Tolerance tolerance);

}  // namespace edt
