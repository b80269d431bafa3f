// Attention forward by products of warpgroups, on a GPU that has them: the reference's values,
// those of the kernel for all GPUs with the sizes of large models, and the times of both.
#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/ops/comparison.h"

#define EDT_NEEDS_WARPGROUPS()                                                  \
  EDT_NEEDS_GPU();                                                              \
  if (cuda_gpu_type(0).capability != "9.0") {                                   \
    GTEST_SKIP() << "no products of warpgroups: compute capability is not 9.0"; \
  }

namespace edt {
namespace {

// Both kernels beside each other; then the case by that of warpgroups, whatever is faster.
TunedAttention beside_each_other(const OpCase& op_case, std::vector<CaseValues>* values) {
  GemmTuning tuning;
  run_case(op_case, *make_cuda_backend({.tuning = &tuning}), DType::kBFloat16, 1);
  EXPECT_EQ(tuning.found_attentions.size(), 1) << op_case.name();
  if (tuning.found_attentions.empty()) return {};
  const TunedAttention found = tuning.found_attentions.begin()->second;
  fmt::print("{}: {:.1f} us by warps, {:.1f} by warpgroups, difference {:.1e}\n", op_case.name(),
             found.seconds * 1e6, found.warpgroup_seconds * 1e6, found.difference);
  if (values != nullptr) {
    tuning.found_attentions.begin()->second.warpgroups = true;
    const auto backend = make_cuda_backend({.gemms = {"this test", {}, tuning.found_attentions}});
    *values = run_case(op_case, *backend, DType::kBFloat16, 1);
  }
  return found;
}

TEST(OpsWarpgroups, HaveTheValuesOfTheReference) {
  EDT_NEEDS_WARPGROUPS();
  const auto reference = make_reference_backend();
  for (const AttentionShape& shape : {AttentionShape{3, 64, 2, 52},
                                      {1, 64, 1, 64},
                                      {2, 64, 2, 72},
                                      {1, 256, 2, 52},
                                      {1, 256, 1, 64},
                                      {1, 256, 1, 72}}) {
    const OpCase op_case = attention_case(shape);
    std::vector<CaseValues> values;
    EXPECT_LT(beside_each_other(op_case, &values).difference, 1.0 / 256);
    Tolerance tolerance = tolerance_of(DType::kBFloat16, op_case);
    tolerance.element *= 2;  // as in ops_test.cpp
    EXPECT_EQ(difference(values, run_case(op_case, *reference, DType::kBFloat16, 1), tolerance), "")
        << op_case.name();
  }
}

// The first two stages of EDT-XL, B and S, and DiT-XL: 32 images.
TEST(OpsWarpgroups, HaveTheValuesOfTheOtherKernel) {
  EDT_NEEDS_WARPGROUPS();
  for (const AttentionShape& shape : {AttentionShape{32, 256, 18, 52},
                                      {32, 64, 24, 52},
                                      {32, 256, 12, 52},
                                      {32, 64, 16, 52},
                                      {32, 256, 6, 52},
                                      {32, 64, 8, 52},
                                      {32, 256, 16, 72}}) {
    EXPECT_LT(beside_each_other(attention_case(shape), nullptr).difference, 1.0 / 256);
  }
}

}  // namespace
}  // namespace edt
