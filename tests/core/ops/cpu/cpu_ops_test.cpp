// The cpu backend against the reference: values and every gradient, overwritten and accumulated.
#include <gtest/gtest.h>

#include "core/cpu/cpu_backend.h"
#include "core/reference/reference_backend.h"
#include "tests/core/ops/case_name.h"
#include "tests/core/ops/comparison.h"

namespace edt {
namespace {

class Cpu : public testing::TestWithParam<OpCase> {
 protected:
  void expect_equal(DType dtype, int passes) {
    const auto cpu = make_cpu_backend();
    const auto reference = make_reference_backend();
    EXPECT_EQ(difference(run_case(GetParam(), *cpu, dtype, passes),
                         run_case(GetParam(), *reference, dtype, passes),
                         tolerance_of(dtype, GetParam())),
              "");
  }
};

TEST_P(Cpu, Float32) { expect_equal(DType::kFloat32, 1); }

TEST_P(Cpu, Float32Accumulated) {
  if (!GetParam().float32_only) expect_equal(DType::kFloat32, 2);
}

TEST_P(Cpu, BFloat16) {
  if (!GetParam().float32_only) expect_equal(DType::kBFloat16, 1);
}

TEST_P(Cpu, BFloat16Accumulated) {
  if (!GetParam().float32_only) expect_equal(DType::kBFloat16, 2);
}

// Running the same case again gives the same bits.
TEST_P(Cpu, Repeats) {
  const auto cpu = make_cpu_backend();
  const auto first = run_case(GetParam(), *cpu, DType::kFloat32, 1);
  const auto second = run_case(GetParam(), *cpu, DType::kFloat32, 1);
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].values, second[i].values) << first[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Cpu, testing::ValuesIn(test_cases()), case_name);

}  // namespace
}  // namespace edt
