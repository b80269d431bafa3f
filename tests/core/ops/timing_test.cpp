#include "core/ops/cases/case_timing.h"

#include <gtest/gtest.h>

#include <set>

#include "core/reference/reference_backend.h"

namespace edt {
namespace {

TEST(Timing, CountsFlopsAndBytes) {
  const auto backend = make_reference_backend();
  const CaseTiming timing = time_case(linear_case({2, 3, 5}, 7), *backend, DType::kFloat32, 0);
  EXPECT_TRUE(timing.supported);
  EXPECT_GE(timing.rounds, 3);
  EXPECT_GT(timing.forward_seconds, 0);
  EXPECT_GT(timing.backward_seconds, 0);
  EXPECT_EQ(timing.forward_flops, 2 * 6 * 5 * 7);
  EXPECT_EQ(timing.backward_flops, 2 * timing.forward_flops);
  EXPECT_EQ(timing.forward_bytes, 4 * (6 * 5 + 7 * 5 + 7 + 6 * 7));
  EXPECT_EQ(timing.backward_bytes, 4 * (2 * (6 * 5 + 7 * 5 + 7) + 6 * 7));
}

TEST(Timing, InferenceHasNoBackward) {
  const auto backend = make_reference_backend();
  const CaseTiming timing =
      time_case(modulated_attention_case({1, 4, 1, 4}), *backend, DType::kFloat32, 0);
  EXPECT_GT(timing.forward_seconds, 0);
  EXPECT_EQ(timing.backward_seconds, 0);
}

TEST(Timing, CaseNamesAreUnique) {
  for (const OpCases& cases : {test_cases(), bench_cases(4)}) {
    std::set<std::string> names;
    for (const OpCase& op_case : cases) EXPECT_TRUE(names.insert(op_case.name()).second);
  }
}

}  // namespace
}  // namespace edt
