#include "core/ops/cases/op_case.h"

namespace edt {

OpCase activation_case(Activation kind, const Shape& x) {
  using Function = Var (*)(Tape&, const Var&);
  const auto [name, function] =
      kind == Activation::kGeluTanh ? std::pair<const char*, Function>("gelu", gelu)
      : kind == Activation::kSilu   ? std::pair<const char*, Function>("silu", silu)
                                    : std::pair<const char*, Function>("relu", relu);
  return {name, to_string(x), [x, function = function](Tape& tape, CaseInputs& in) {
            return function(tape, in.leaf(tape, "x", x, 3.0));  // reaches the flat tails
          }};
}

void add_activation_cases(OpCases& cases) {
  for (const Activation kind : {Activation::kGeluTanh, Activation::kSilu, Activation::kRelu}) {
    cases.push_back(activation_case(kind, {1, 1}));
    cases.push_back(activation_case(kind, {3, 37}));
    cases.push_back(activation_case(kind, {3, 16, 52}));
    cases.push_back(activation_case(kind, {1, 936}));
  }
  for (const Shape& shape : {Shape{1, 3}, Shape{3, 16, 52}}) {
    cases.push_back({"add", to_string(shape), [=](Tape& tape, CaseInputs& in) {
                       return add(tape, in.leaf(tape, "a", shape), in.leaf(tape, "b", shape));
                     }});
  }
  const Shape shape{3, 16, 4};
  cases.push_back(
      {"add", to_string(shape) + ", a tensor to itself", [=](Tape& tape, CaseInputs& in) {
         const Var& a = in.leaf(tape, "a", shape);
         return add(tape, a, a);
       }});
  cases.push_back(
      {"add", to_string(shape) + ", one operand fixed", [=](Tape& tape, CaseInputs& in) {
         return add(tape, in.constant(tape, "a", shape), in.leaf(tape, "b", shape));
       }});
}

}  // namespace edt
