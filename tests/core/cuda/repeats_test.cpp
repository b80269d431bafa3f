// Every op has the same bits each time. An order of sums that depends on which blocks come first
// shows on a GPU alone, and not each time; with the sizes of a large model sooner than with others.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "core/ops/cases/case_run.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/cuda/repeated_case.h"
#include "tests/core/ops/case_name.h"

namespace edt {
namespace {

// How often each case runs: twice, or as EDT_REPEATS says.
int repeats() {
  const char* const given = std::getenv("EDT_REPEATS");
  return given == nullptr ? 2 : std::stoi(given);
}

// What a case may take in each type, once it is set up.
constexpr double kSeconds = 0.05, kLargeSeconds = 1;

class Repeats : public testing::TestWithParam<OpCase> {
 protected:
  void expect_same_bits(double seconds) {
    EDT_NEEDS_GPU();
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      if (GetParam().float32_only && dtype != DType::kFloat32) continue;
      const auto cuda = make_cuda_backend();
      try {
        const test::Repeats seen =
            test::repeat_case(GetParam(), *cuda, dtype, repeats() - 1, seconds);
        EXPECT_EQ(seen.differs, "") << name_of(dtype) << ", time " << seen.times;
      } catch (const NotImplemented&) {  // Cuda.Float32 says which kernels there are
      }
    }
  }
};

TEST_P(Repeats, HaveTheSameBits) { expect_same_bits(kSeconds); }
INSTANTIATE_TEST_SUITE_P(Ops, Repeats, testing::ValuesIn(test_cases()), case_name);

#ifdef EDT_REAL_GPU
// The stages of EDT-XL/2, 32 images.
OpCases large_cases() {
  OpCases cases;
  struct Stage {
    std::int64_t tokens, width;
  };
  for (const auto& [tokens, width] : {Stage{256, 936}, {64, 1248}, {16, 1560}}) {
    const Shape x{32, tokens, width};
    cases.push_back(linear_case(x, 3 * width));
    cases.push_back(mlp_case(x, 4 * width));
    cases.push_back(modulated_norm_case(x, 6, {0, 1}));
    cases.push_back(gate_case(x, 6, 2));
    cases.push_back(gate_norm_case({x}));
    cases.push_back(attention_case({32, tokens, width / 52, 52}));
    cases.push_back(modulated_attention_case({32, tokens, width / 52, 52}));
  }
  cases.push_back(merge_norm_case({32, 256, 936}, true));
  cases.push_back(concat_norm_case({32, 256, 936}));
  cases.push_back(linears_ahead_case({64, 936}, 6 * 936, 4));
  return cases;
}

class LargeRepeats : public Repeats {};
TEST_P(LargeRepeats, HaveTheSameBits) { expect_same_bits(kLargeSeconds); }
INSTANTIATE_TEST_SUITE_P(Ops, LargeRepeats, testing::ValuesIn(large_cases()), case_name);
#endif

// A case that does something else each time is seen, within a graph and without.
TEST(OpsRepeats, SeeOtherBits) {
  EDT_NEEDS_GPU();
  const auto cuda = make_cuda_backend();
  for (const bool waits : {false, true}) {
    auto times = std::make_shared<int>(0);
    const OpCase other{"fill", "another value each time", [=](Tape& tape, CaseInputs& in) {
                         const Tensor y = in.tensor("y", {8}, DType::kFloat32);
                         tape.device().fill(y, ++*times);
                         if (waits) tape.device().synchronize();
                         return tape.leaf(y);
                       }};
    EXPECT_EQ(test::repeat_case(other, *cuda, DType::kFloat32, 5, 1).differs, "result");
    const OpCase same = linear_case({3, 7}, 5);
    const test::Repeats seen = test::repeat_case(same, *cuda, DType::kFloat32, 5, 10);
    EXPECT_EQ(seen.differs, "");
    EXPECT_EQ(seen.times, 5);
  }
}

}  // namespace
}  // namespace edt
