#include "core/ops/cases/op_case.h"

namespace edt {

OpCase affine_modulation_case(const Shape& m) {
  return {"affine_modulation", to_string(m), [=](Tape& tape, CaseInputs& in) {
            return affine_modulation(tape, in.leaf(tape, "m", m),
                                     in.parameter("scale", {1, m[1]}, 1.0),
                                     in.parameter("shift", {1, m[1]}, 1.0));
          }};
}

void add_modulation_cases(OpCases& cases) {
  cases.push_back(affine_modulation_case({1, 4}));
  cases.push_back(affine_modulation_case({3, 7}));
  cases.push_back(affine_modulation_case({5, 1872}));
  cases.push_back(affine_modulation_case({2, 9360}));
}

}  // namespace edt
