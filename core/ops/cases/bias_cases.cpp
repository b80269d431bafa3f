#include "core/ops/cases/op_case.h"

namespace edt {

OpCase add_bias_case(const Shape& x) {
  return {"add_bias", to_string(x), [=](Tape& tape, CaseInputs& in) {
            return add_bias(tape, in.leaf(tape, "x", x), in.parameter("bias", {x.columns()}, 1.0));
          }};
}

void add_bias_cases(OpCases& cases) {
  cases.push_back(add_bias_case({1, 1}));
  cases.push_back(add_bias_case({3, 7}));
  cases.push_back(add_bias_case({3, 16, 52}));
  cases.push_back(add_bias_case({1, 64, 312}));
}

}  // namespace edt
