// The cuda backend against the reference: values and every gradient, overwritten and accumulated.
#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/ops/case_name.h"
#include "tests/core/ops/comparison.h"

namespace edt {
namespace {

// Attention in bf16 multiplies probabilities and their gradients as bf16, and takes the row sums of
// dout * out from the rounded output, as every kernel of its kind does: single elements are off by
// up to twice what one rounding more explains, tensors as a whole are not. Without a
// bias few tokens have probabilities near each other, and ds is what is left of dout v - its mean.
Tolerance cuda_tolerance(DType dtype, const OpCase& op_case) {
  Tolerance tolerance = tolerance_of(dtype, op_case);
  if (dtype != DType::kBFloat16) return tolerance;
  if (op_case.op.ends_with("attention")) tolerance.element *= 2;
  if (op_case.op != "attention") tolerance.total *= 3;
  return tolerance;
}

class Cuda : public testing::TestWithParam<OpCase> {
 protected:
  void expect_equal(DType dtype, int passes) {
    EDT_NEEDS_GPU();
    const auto cuda = make_cuda_backend();
    if (!supports(GetParam(), *cuda, dtype)) GTEST_SKIP() << "no kernel yet";
    const auto reference = make_reference_backend();
    EXPECT_EQ(difference(run_case(GetParam(), *cuda, dtype, passes),
                         run_case(GetParam(), *reference, dtype, passes),
                         cuda_tolerance(dtype, GetParam())),
              "");
  }
};

TEST_P(Cuda, Float32) { expect_equal(DType::kFloat32, 1); }

TEST_P(Cuda, Float32Accumulated) {
  if (!GetParam().float32_only) expect_equal(DType::kFloat32, 2);
}

TEST_P(Cuda, BFloat16) { expect_equal(DType::kBFloat16, 1); }

TEST_P(Cuda, BFloat16Accumulated) {
  if (!GetParam().float32_only) expect_equal(DType::kBFloat16, 2);
}

INSTANTIATE_TEST_SUITE_P(Ops, Cuda, testing::ValuesIn(test_cases()), case_name);

}  // namespace
}  // namespace edt
