#include <cmath>

#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

// Rounding has no slope, and gradients pass it: differences say nothing of the weight.
bool is_no_weight(std::string_view input, std::int64_t) { return !input.starts_with("weight"); }

// A parameter that is ternary. No element of it is near the edge, which is 0.4 of the deviation of
// normal numbers: types and sums of other orders round alike.
Parameter& ternary_parameter(CaseInputs& in, const std::string& name, const Shape& shape,
                             double spread) {
  const auto made = std::static_pointer_cast<Ternary>(in.made(name));
  Parameter& weight = in.parameter(name, shape, spread);
  if (made == nullptr) {
    std::vector<double> values = read_values(in.backend(), weight.value);
    for (double& v : values) {
      const double size = std::fabs(v) / spread;
      if (0.3 < size && size < 0.5) v *= 2;
    }
    write_values(in.backend(), values, weight.value);
    in.made(name) =
        std::make_shared<Ternary>(Ternary{.scale = &in.parameter("scale of " + name, {1}, 0.5),
                                          .elements = shape.elements(),
                                          .sum_of_parts = {}});
  }
  weight.ternary = std::static_pointer_cast<Ternary>(in.made(name)).get();
  return weight;
}

double spread_of(std::int64_t inputs) { return 1.0 / std::sqrt(static_cast<double>(inputs)); }

OpCase ternary_mlp_case(const Shape& x, std::int64_t hidden) {
  const std::int64_t width = x.columns();
  OpCase made{"ternary_mlp", fmt::format("{}, hidden {}", to_string(x), hidden),
              [=](Tape& tape, CaseInputs& in) {
                return mlp(tape, in.leaf(tape, "x", x),
                           {ternary_parameter(in, "weight1", {hidden, width}, spread_of(width)),
                            in.parameter("fc1_bias", {hidden}, 0.5),
                            ternary_parameter(in, "weight2", {width, hidden}, spread_of(hidden)),
                            &in.parameter("fc2_bias", {width}, 0.5)});
              }};
  made.movable = is_no_weight;
  return made;
}

}  // namespace

OpCase ternary_linear_case(const Shape& x, std::int64_t outputs) {
  const std::int64_t inputs = x.columns();
  OpCase made{"ternary_linear", fmt::format("{} -> {}", to_string(x), outputs),
              [=](Tape& tape, CaseInputs& in) {
                return linear(tape, in.leaf(tape, "x", x),
                              ternary_parameter(in, "weight", {outputs, inputs}, spread_of(inputs)),
                              &in.parameter("bias", {outputs}, 1.0));
              }};
  made.movable = is_no_weight;
  return made;
}

OpCase rms_norm_case(const Shape& x) {
  return {"rms_norm", to_string(x), [=](Tape& tape, CaseInputs& in) {
            return rms_norm(tape, in.leaf(tape, "x", x), in.parameter("weight", {x[1]}, 1.0));
          }};
}

void add_ternary_cases(OpCases& cases) {
  cases.push_back(ternary_linear_case({1, 7}, 5));
  cases.push_back(ternary_linear_case({3, 16, 52}, 312));
  cases.push_back(ternary_linear_case({1, 64, 312}, 117));
  cases.push_back(ternary_mlp_case({3, 5, 4}, 13));
  // The gradient of a scale is one number, a sum of 52 that cancel: roundings do not average out.
  cases.back().tolerance_factor = 2;
  cases.push_back(ternary_mlp_case({3, 16, 52}, 208));
  cases.push_back(rms_norm_case({1, 4}));
  cases.push_back(rms_norm_case({3, 7}));
  cases.push_back(rms_norm_case({5, 312}));
  cases.push_back(rms_norm_case({2, 9360}));
}

}  // namespace edt
