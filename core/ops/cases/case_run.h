// Runs an op case and collects everything it computed.
#pragma once

#include "core/ops/cases/op_case.h"

namespace edt {

struct CaseValues {
  std::string name;  // "result", "d x", "d weight", ...
  std::vector<double> values;
};

// Applies the op `passes` times to the same inputs, with another incoming gradient each time, so
// that a second pass accumulates where the first overwrote. Arena and parameter gradients are
// filled with NaN beforehand: whatever is read before it was written shows.
std::vector<CaseValues> run_case(const OpCase& op_case, Backend& backend, DType dtype, int passes);

// One application without recording.
std::vector<double> forward_only(const OpCase& op_case, Tape& tape, CaseInputs& inputs);

// The incoming gradient of pass `pass`.
std::vector<double> incoming_gradient(int pass, std::int64_t count);

// False when a kernel of the case is missing from the backend.
bool supports(const OpCase& op_case, Backend& backend, DType dtype);

}  // namespace edt
