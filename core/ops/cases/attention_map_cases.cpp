#include "core/ops/cases/op_case.h"

namespace edt {

OpCase attention_map_case(const Shape& x) {
  return {"attention_map", to_string(x),
          [=](Tape& tape, CaseInputs& in) { return attention_map(tape, in.leaf(tape, "x", x)); }};
}

void add_attention_map_cases(OpCases& cases) {
  cases.push_back(attention_map_case({1, 1, 3}));
  cases.push_back(attention_map_case({3, 9, 5}));
  cases.push_back(attention_map_case({2, 64, 52}));
  cases.push_back(attention_map_case({2, 300, 17}));
}

}  // namespace edt
