#include "core/ops/cases/op_case.h"

namespace edt {

OpCase linear_case(const Shape& x, std::int64_t outputs, LinearOptions options) {
  const std::int64_t inputs = x.columns();
  std::string text = fmt::format("{} -> {}", to_string(x), outputs);
  if (!options.bias) text += ", no bias";
  if (options.positions) text += ", positions";
  if (!options.input_gradient) text += ", input is fixed";
  return {"linear", text, [=](Tape& tape, CaseInputs& in) {
            const Var input =
                options.input_gradient ? in.leaf(tape, "x", x) : in.constant(tape, "x", x);
            Parameter& weight = in.parameter("weight", {outputs, inputs},
                                             1.0 / std::sqrt(static_cast<double>(inputs)));
            Parameter* bias = options.bias ? &in.parameter("bias", {outputs}, 1.0) : nullptr;
            Tensor positions;
            if (options.positions) {
              positions = in.tensor("positions", {x[1], outputs}, in.dtype());
            }
            return linear(tape, input, weight, bias, positions);
          }};
}

void add_linear_cases(OpCases& cases) {
  cases.push_back(linear_case({1, 1, 4}, 4));
  cases.push_back(linear_case({1, 1}, 1));
  cases.push_back(linear_case({3, 7}, 5));
  cases.push_back(linear_case({3, 16, 52}, 312));
  cases.push_back(linear_case({1, 64, 312}, 117, {.bias = false}));
  cases.push_back(linear_case({1, 5, 936}, 52));
  cases.push_back(linear_case({3, 16, 4}, 52, {.positions = true}));
  cases.push_back(linear_case({3, 16, 52}, 4, {.bias = false, .positions = true}));
  cases.push_back(linear_case({3, 64, 16}, 52, {.positions = true, .input_gradient = false}));
}

}  // namespace edt
