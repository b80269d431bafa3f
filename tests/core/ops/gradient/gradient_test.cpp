// Backward kernels of the reference against finite differences of its forward kernels.
#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"
#include "tests/core/ops/case_name.h"
#include "tests/core/ops/gradient/finite_difference.h"

namespace edt {
namespace {

class Gradient : public testing::TestWithParam<OpCase> {};

TEST_P(Gradient, MatchesFiniteDifferences) {
  const auto backend = make_reference_backend();
  // Central differences of step h = 1e-5: truncation h^2 |f'''| / 6, about 1e-10 for inputs of size
  // one, and rounding 1e-16 |f| / h, about 1e-11 |f|.
  for (const GradientCheck& check : check_gradients(GetParam(), *backend)) {
    EXPECT_NEAR(check.numeric, check.analytic, 1e-7 * check.scale + 1e-8) << check.what;
  }
}

OpCases differentiable_cases() {
  OpCases cases;
  for (OpCase& op_case : test_cases()) {
    if (!op_case.inference && !op_case.float32_only) cases.push_back(std::move(op_case));
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Ops, Gradient, testing::ValuesIn(differentiable_cases()), case_name);

}  // namespace
}  // namespace edt
