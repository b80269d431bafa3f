#include "core/ops/cases/op_case.h"

namespace edt {

OpCase gate_case(const Shape& x, int chunks, int gate_chunk) {
  return {"gate_residual", fmt::format("{}, chunk {} of {}", to_string(x), gate_chunk, chunks),
          [=](Tape& tape, CaseInputs& in) {
            return gate_residual(tape, in.leaf(tape, "x", x),
                                 in.leaf(tape, "modulation", {x[0], chunks * x[2]}), gate_chunk,
                                 in.leaf(tape, "h", x));
          }};
}

void add_gate_cases(OpCases& cases) {
  cases.push_back(gate_case({1, 1, 4}, 1, 0));
  cases.push_back(gate_case({3, 5, 13}, 3, 1));
  cases.push_back(gate_case({3, 16, 52}, 6, 2));
  cases.push_back(gate_case({1, 64, 312}, 6, 5));
}

}  // namespace edt
