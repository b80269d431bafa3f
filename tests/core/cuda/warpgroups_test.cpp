// Attention by products of warpgroups each way, on a GPU that has them: the reference's values,
// those of the kernels for all GPUs with the sizes of large models, and the times of both.
#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/cuda/repeated_case.h"
#include "tests/core/ops/comparison.h"

#define EDT_NEEDS_WARPGROUPS()                                                  \
  EDT_NEEDS_GPU();                                                              \
  if (cuda_gpu_type(0).capability != "9.0") {                                   \
    GTEST_SKIP() << "no products of warpgroups: compute capability is not 9.0"; \
  }

namespace edt {
namespace {

// Both kernels of each pass beside each other, of which those of warpgroups are to be taken,
// whatever is faster.
TunedAttentions beside_each_other(const OpCase& op_case, bool backward) {
  GemmTuning tuning;
  run_case(op_case, *make_cuda_backend({.tuning = &tuning}), DType::kBFloat16, 1);
  EXPECT_EQ(tuning.found_attentions.size(), backward ? 2 : 1) << op_case.name();
  for (auto& [key, found] : tuning.found_attentions) {
    fmt::print("{}, {}: {:.1f} us by warps, {:.1f} by warpgroups, difference {:.1e}\n",
               op_case.name(), key.backward ? "backward" : "forward", found.seconds * 1e6,
               found.warpgroup_seconds * 1e6, found.difference);
    EXPECT_LT(found.difference, 1.0 / 256);
    found.warpgroups = true;
  }
  return tuning.found_attentions;
}

// The backward kernel takes heads of up to 64.
bool has_backward(const AttentionShape& shape) { return shape.size <= 64; }

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
    const TunedAttentions taken = beside_each_other(op_case, has_backward(shape));
    const auto cuda = make_cuda_backend({.gemms = {"this test", {}, taken}});
    const std::vector<CaseValues> values = run_case(op_case, *cuda, DType::kBFloat16, 1);
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
    beside_each_other(attention_case(shape), has_backward(shape));
  }
}

// What a race between blocks or warps would change, as graphs, 200 times.
TEST(OpsWarpgroups, RepeatTheirBits) {
  EDT_NEEDS_WARPGROUPS();
  for (const AttentionShape& shape :
       {AttentionShape{32, 256, 18, 52}, {32, 64, 24, 52}, {32, 256, 16, 72}}) {
    const OpCase op_case = attention_case(shape);
    const TunedAttentions taken = beside_each_other(op_case, has_backward(shape));
    const auto cuda = make_cuda_backend({.gemms = {"this test", {}, taken}});
    const test::Repeats seen = test::repeat_case(op_case, *cuda, DType::kBFloat16, 200, 1);
    EXPECT_EQ(seen.differs, "") << op_case.name() << ", time " << seen.times;
  }
}

}  // namespace
}  // namespace edt
