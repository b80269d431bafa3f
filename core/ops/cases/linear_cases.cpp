#include "core/ops/cases/op_case.h"
#include "core/ops/linears_ahead.h"
#include "core/ops/stacked_linear.h"

namespace edt {

OpCase linear_case(const Shape& x, std::int64_t outputs, LinearCaseOptions options) {
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

OpCase linears_ahead_case(const Shape& x, std::int64_t outputs, std::size_t count, bool bias) {
  return {"linears_ahead",
          fmt::format("{} -> {} x {}{}", to_string(x), count, outputs, bias ? "" : ", no bias"),
          [=](Tape& tape, CaseInputs& in) {
            std::vector<LinearsAhead::Map> maps;
            const double scale = 1.0 / std::sqrt(static_cast<double>(x.columns()));
            for (std::size_t i = 0; i < count; ++i) {
              maps.push_back(
                  {&in.parameter(fmt::format("weight{}", i), {outputs, x.columns()}, scale),
                   bias ? &in.parameter(fmt::format("bias{}", i), {outputs}, 1.0) : nullptr});
            }
            const LinearsAhead ahead(tape, in.leaf(tape, "x", x), std::move(maps));
            Var sum = ahead.take(tape, 0);
            for (std::size_t i = 1; i < count; ++i) {
              sum = add(tape, silu(tape, sum), ahead.take(tape, i));
            }
            return sum;
          }};
}

OpCase stacked_linear_case(const Shape& x, std::int64_t outputs) {
  return {"stacked_linear", fmt::format("{} -> 3 x {}", to_string(x), outputs),
          [=](Tape& tape, CaseInputs& in) {
            const double scale = 1.0 / std::sqrt(static_cast<double>(x.columns()));
            std::array<StackedMap, 3> maps;
            for (std::size_t i = 0; i < maps.size(); ++i) {
              maps[i] = {&in.parameter(fmt::format("weight{}", i), {outputs, x.columns()}, scale),
                         &in.parameter(fmt::format("bias{}", i), {outputs}, 1.0)};
            }
            return stacked_linear(tape, in.leaf(tape, "x", x), maps);
          }};
}

OpCase concat_linear_case(const Shape& a, std::int64_t b_columns, std::int64_t outputs) {
  Shape b;
  for (int i = 0; i + 1 < a.rank(); ++i) b.append(a[i]);
  b.append(b_columns);
  const std::int64_t inputs = a.columns() + b_columns;
  return {"concat_linear", fmt::format("{} and {} columns -> {}", to_string(a), b_columns, outputs),
          [=](Tape& tape, CaseInputs& in) {
            return concat_linear(tape, in.leaf(tape, "a", a), in.leaf(tape, "b", b),
                                 in.parameter("weight", {outputs, inputs},
                                              1.0 / std::sqrt(static_cast<double>(inputs))),
                                 in.parameter("bias", {outputs}, 1.0));
          }};
}

namespace {

// Both halves of the concatenation are one value.
OpCase doubled_linear_case(const Shape& x, std::int64_t outputs) {
  return {"concat_linear", fmt::format("{} twice -> {}", to_string(x), outputs),
          [=](Tape& tape, CaseInputs& in) {
            const Var input = in.leaf(tape, "x", x);
            return concat_linear(tape, input, input,
                                 in.parameter("weight", {outputs, 2 * x.columns()}, 0.3),
                                 in.parameter("bias", {outputs}, 1.0));
          }};
}

}  // namespace

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
  cases.push_back(linears_ahead_case({1, 1}, 1, 2));
  cases.push_back(linears_ahead_case({3, 7}, 5, 3));
  cases.push_back(linears_ahead_case({5, 52}, 24, 4));
  cases.push_back(linears_ahead_case({2, 3, 8}, 16, 2, false));
  cases.push_back(concat_linear_case({1, 1}, 1, 1));
  cases.push_back(concat_linear_case({3, 7}, 4, 5));
  cases.push_back(concat_linear_case({3, 16, 52}, 52, 52));
  cases.push_back(concat_linear_case({2, 35, 64}, 64, 64));
  cases.push_back(doubled_linear_case({3, 7}, 5));
}

}  // namespace edt
