// A step's trace as text to store and compare: kernels with their shapes, FLOPs and bytes, then the
// order in which all happens.
#pragma once

#include <string>

#include "model/plan/dry_run.h"

namespace edt::test {

std::string trace_text(const PlannedStep& step);

}  // namespace edt::test
