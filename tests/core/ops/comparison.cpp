#include "tests/core/ops/comparison.h"

#include <cmath>

namespace edt {
namespace {

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

std::string difference_of(const CaseValues& actual, const CaseValues& expected,
                          Tolerance tolerance) {
  if (actual.name != expected.name || actual.values.size() != expected.values.size()) {
    return fmt::format("{} of {} elements, expected {} of {}\n", actual.name, actual.values.size(),
                       expected.name, expected.values.size());
  }
  std::vector<double> error(actual.values);
  for (std::size_t i = 0; i < error.size(); ++i) error[i] -= expected.values[i];
  const double size = norm(expected.values);
  const double rms = size / std::sqrt(static_cast<double>(error.size()));
  for (std::size_t i = 0; i < error.size(); ++i) {
    const double allowed = tolerance.element * (std::abs(expected.values[i]) + rms);
    if (std::abs(error[i]) <= allowed) continue;  // false for NaN
    return fmt::format("{}[{}] is {}, expected {} +- {:.2g}\n", actual.name, i, actual.values[i],
                       expected.values[i], allowed);
  }
  // The roundings of a few elements may all go the same way.
  constexpr std::size_t kFew = 16;
  const double total = tolerance.total * (error.size() < kFew ? 2 : 1);
  if (norm(error) > total * size) {
    return fmt::format("{} is off by {:.2g} of its norm, allowed {:.2g}\n", actual.name,
                       norm(error) / size, total);
  }
  return {};
}

}  // namespace

// float32: sums of up to some thousand products round to about 1e-6 of their rms.
// bf16: one rounding is at most 2^-9 = 0.2 %; the results of both sides are rounded, and a backend
// may round an intermediate activation or a softmax row as well, so an element can be off by four
// roundings plus what cancels, a whole tensor by about two.
Tolerance tolerance_of(DType dtype, const OpCase& op_case) {
  const Tolerance base = dtype == DType::kBFloat16 ? Tolerance{3e-2, 6e-3} : Tolerance{2e-5, 5e-6};
  return {base.element * op_case.tolerance_factor, base.total * op_case.tolerance_factor};
}

std::string difference(const std::vector<CaseValues>& actual,
                       const std::vector<CaseValues>& expected, Tolerance tolerance) {
  if (actual.size() != expected.size()) {
    return fmt::format("{} results, expected {}\n", actual.size(), expected.size());
  }
  std::string text;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    text += difference_of(actual[i], expected[i], tolerance);
  }
  return text;
}

}  // namespace edt
