#include "tests/core/ops/gradient/finite_difference.h"

#include <algorithm>
#include <cmath>

namespace edt {
namespace {

using Values = std::vector<double>;

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// f(inputs) = <incoming gradient, result>, whose gradients are what backward returns.
class Function {
 public:
  Function(const OpCase& op_case, Backend& backend)
      : op_case_(op_case),
        arena_(backend.memory()),
        tape_(backend, arena_, profiler_, DType::kFloat64),
        inputs_(backend, DType::kFloat64) {
    value();  // makes the inputs
  }

  CaseInputs& inputs() { return inputs_; }

  double value() {
    const Values result = forward_only(op_case_, tape_, inputs_);
    inputs_.end_step();
    tape_.clear();
    return dot(result, incoming_gradient(0, static_cast<std::int64_t>(result.size())));
  }

  double directional(const Tensor& input, const Values& direction) {
    constexpr double kStep = 1e-5;  // the cube root of float64's precision
    const Values at = read_values(tape_.device(), input);
    const auto moved = [&](double step) {
      Values values = at;
      for (std::size_t i = 0; i < values.size(); ++i) values[i] += step * direction[i];
      write_values(tape_.device(), values, input);
      return value();
    };
    const double slope = (moved(kStep) - moved(-kStep)) / (2 * kStep);
    write_values(tape_.device(), at, input);
    return slope;
  }

 private:
  const OpCase& op_case_;
  Arena arena_;
  Profiler profiler_;
  Tape tape_;
  CaseInputs inputs_;
};

struct Direction {
  std::string what;
  Values values;
};

std::vector<Direction> directions(const OpCase& op_case, const std::string& input,
                                  const Values& gradient) {
  const auto movable = [&](std::size_t i) {
    return !op_case.movable || op_case.movable(input, static_cast<std::int64_t>(i));
  };
  std::vector<Direction> found;
  for (int n = 0; n < 2; ++n) {
    Values along =
        draw("direction " + std::to_string(n), static_cast<std::int64_t>(gradient.size()));
    for (std::size_t i = 0; i < along.size(); ++i) along[i] *= movable(i);
    found.push_back({fmt::format("{}, direction {}", input, n), along});
  }
  const auto larger = [](double a, double b) { return std::abs(a) < std::abs(b); };
  const auto largest = std::max_element(gradient.begin(), gradient.end(), larger);
  for (const std::size_t i :
       {std::size_t{0}, gradient.size() - 1, std::size_t(largest - gradient.begin())}) {
    if (!movable(i)) continue;
    Values unit(gradient.size(), 0.0);
    unit[i] = 1;
    found.push_back({fmt::format("{}, element {}", input, i), unit});
  }
  return found;
}

}  // namespace

std::vector<GradientCheck> check_gradients(const OpCase& op_case, Backend& backend) {
  std::vector<GradientCheck> checks;
  Function function(op_case, backend);
  for (const CaseValues& result : run_case(op_case, backend, DType::kFloat64, 1)) {
    if (!result.name.starts_with("d ")) continue;
    const std::string input = result.name.substr(2);
    for (const auto& entry : function.inputs().entries()) {
      if (entry->name != input) continue;
      for (const Direction& direction : directions(op_case, input, result.values)) {
        GradientCheck check{.what = direction.what,
                            .analytic = dot(result.values, direction.values)};
        check.numeric = function.directional(entry->value, direction.values);
        for (std::size_t i = 0; i < result.values.size(); ++i) {
          check.scale += std::abs(result.values[i] * direction.values[i]);
        }
        checks.push_back(check);
      }
    }
  }
  return checks;
}

}  // namespace edt
