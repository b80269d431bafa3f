// Which kernels attention takes: those of warpgroups only where they are given, or where timing
// finds them faster, with the same values, on a GPU that has them.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "core/cuda/error.h"
#include "core/reference/reference_backend.h"
#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/ops/comparison.h"
#include "tests/core/storage/expect_error.h"

namespace edt {
namespace {

// The forward kernel of warpgroups has other tiles of keys where heads are so large: other bits.
// There is none for the backward pass.
const OpCase kChoiceCase = attention_case({2, 64, 2, 72});
// Both passes have one.
const OpCase kBackwardCase = attention_case({2, 64, 2, 52});
const AttentionKey kBackwardKey{2, 64, 2, 52, 8, 8, true, true};

class AttentionChoice : public testing::Test {
 protected:
  AttentionChoice() {
    emulation::set_compute_capability(9, 0);
    emulation::set_most_shared_memory(emulation::kH100SharedMemory);
    set_seconds(2e-4, 1e-4);
    set_backward_seconds(4e-4, 2e-4);
  }
  ~AttentionChoice() override {
    emulation::set_compute_capability(8, 0);
    emulation::set_most_shared_memory(emulation::kA100SharedMemory);
    set_seconds(0, 0);
    set_backward_seconds(0, 0);
  }

  static void set_seconds(double warps, double warpgroups) {
    emulation::set_seconds_of_launches("attention forward", warps);
    emulation::set_seconds_of_launches("attention forward by warpgroups", warpgroups);
  }
  static void set_backward_seconds(double warps, double warpgroups) {
    emulation::set_seconds_of_launches("attention backward", warps);
    emulation::set_seconds_of_launches("attention backward by warpgroups", warpgroups);
  }
  static TunedAttentions tune(const OpCase& op_case, DType dtype = DType::kBFloat16) {
    GemmTuning tuning;
    run_case(op_case, *make_cuda_backend({.tuning = &tuning}), dtype, 1);
    return tuning.found_attentions;
  }
  static std::vector<double> values_with(const TunedAttentions& given) {
    const auto backend = make_cuda_backend({.gemms = {"gpu.json", {}, given}});
    return run_case(kChoiceCase, *backend, DType::kBFloat16, 1).at(0).values;
  }
};

TEST_F(AttentionChoice, TakesTheFasterKernel) {
  const TunedAttentions found = tune(kChoiceCase);
  ASSERT_EQ(found.size(), 1);
  const auto& [key, tuned] = *found.begin();
  EXPECT_EQ(key, (AttentionKey{2, 64, 2, 72, 8, 8, true}));
  EXPECT_TRUE(tuned.warpgroups);
  EXPECT_NEAR(tuned.seconds, 2e-4, 1e-9);
  EXPECT_NEAR(tuned.warpgroup_seconds, 1e-4, 1e-9);
  EXPECT_LT(tuned.difference, 1e-3);
}

TEST_F(AttentionChoice, TakesTheFasterBackwardKernel) {
  TunedAttentions found = tune(kBackwardCase);
  ASSERT_EQ(found.size(), 2);
  const TunedAttention& tuned = found.at(kBackwardKey);
  EXPECT_TRUE(tuned.warpgroups);
  EXPECT_NEAR(tuned.seconds, 4e-4, 1e-9);
  EXPECT_NEAR(tuned.warpgroup_seconds, 2e-4, 1e-9);
  EXPECT_LT(tuned.difference, 1e-3);
  EXPECT_GT(tuned.difference, 0);  // the table's gradient: another order of sums
  set_backward_seconds(2e-4, 1.99e-4);
  found = tune(kBackwardCase);
  EXPECT_FALSE(found.at(kBackwardKey).warpgroups);
  EXPECT_EQ(std::ranges::count_if(found, [](const auto& one) { return one.second.warpgroups; }), 1);
}

// A GPU whose blocks have less shared memory than all of a head needs.
TEST_F(AttentionChoice, TheBackwardKernelNeedsItsMemory) {
  const OpCase large = attention_case({1, 256, 2, 52});
  EXPECT_EQ(tune(large).size(), 2);
  emulation::set_most_shared_memory(emulation::kA100SharedMemory);
  EXPECT_EQ(tune(large).size(), 1);
}

// What pretended seconds are passed in says which kernel ran.
TEST_F(AttentionChoice, BothPassesTakeWhatTheyAreGiven) {
  TunedAttentions given = tune(kBackwardCase);
  const auto seconds_of = [&](bool forward, bool backward) {
    for (auto& [key, tuned] : given) tuned.warpgroups = key.backward ? backward : forward;
    const auto backend = make_cuda_backend({.gemms = {"gpu.json", {}, given}});
    return backend->seconds_of([&] { run_case(kBackwardCase, *backend, DType::kBFloat16, 1); });
  };
  const double warps = seconds_of(false, false);  // three forward passes, one backward
  EXPECT_NEAR(warps - seconds_of(true, false), 3e-4, 1e-9);
  EXPECT_NEAR(warps - seconds_of(false, true), 2e-4, 1e-9);
  EXPECT_NEAR(warps - seconds_of(true, true), 5e-4, 1e-9);
}

TEST_F(AttentionChoice, KeepsTheOtherWithinTheMargin) {
  set_seconds(1e-4, 0.981e-4);
  EXPECT_FALSE(tune(kChoiceCase).begin()->second.warpgroups);
  set_seconds(1e-4, 0.979e-4);
  EXPECT_TRUE(tune(kChoiceCase).begin()->second.warpgroups);
}

// Not a number in one of them cannot be compared.
TEST_F(AttentionChoice, KeepsTheOtherWhereValuesAreNotAlike) {
  const OpCase broken{"attention", "infinite", [](Tape& tape, CaseInputs& in) {
                        const auto infinite = [](std::int64_t count) {
                          return std::vector<double>(static_cast<std::size_t>(count),
                                                     std::numeric_limits<double>::infinity());
                        };
                        const TokenGrid grid = TokenGrid::square(8);
                        return attention(tape, in.leaf(tape, "qkv", {1, 64, 3 * 64}, infinite),
                                         in.parameter("table", {grid.distances(), 1}, 1.0), grid);
                      }};
  const TunedAttentions found = tune(broken);
  ASSERT_EQ(found.size(), 2);
  for (const auto& [key, tuned] : found) {
    EXPECT_EQ(tuned.difference, 1) << key.backward;
    EXPECT_FALSE(tuned.warpgroups) << key.backward;
  }
}

TEST_F(AttentionChoice, IsThereForHopperAlone) {
  for (const auto& [major, minor] : {std::pair{8, 0}, {8, 9}, {10, 0}, {12, 0}}) {
    emulation::set_compute_capability(major, minor);
    EXPECT_TRUE(tune(kChoiceCase).empty()) << major << '.' << minor;
  }
  emulation::set_compute_capability(9, 0);
  EXPECT_TRUE(tune(kChoiceCase, DType::kFloat32).empty());
}

TEST_F(AttentionChoice, RunsTakeWhatTheyAreGivenAndCompareNothing) {
  const std::vector<double> warps = values_with({});
  TunedAttentions given = tune(kChoiceCase);
  set_seconds(1e-4, 2e-4);
  const std::vector<double> groups = values_with(given);
  ASSERT_NE(groups, warps);  // or this test could not tell
  EXPECT_EQ(values_with(given), groups);
  given.begin()->second.warpgroups = false;
  EXPECT_EQ(values_with(given), warps);
}

TEST_F(AttentionChoice, WhatIsGivenIsNotComparedAgain) {
  const TunedAttentions given = tune(kChoiceCase);
  GemmTuning again;
  const auto backend = make_cuda_backend({.gemms = {"gpu.json", {}, given}, .tuning = &again});
  run_case(kChoiceCase, *backend, DType::kBFloat16, 1);
  EXPECT_TRUE(again.found_attentions.empty());
}

TEST_F(AttentionChoice, WhatIsGivenAndNotThereEndsTheRun) {
  const TunedAttentions given = tune(kChoiceCase);
  emulation::set_compute_capability(10, 0);
  EXPECT_ERROR(values_with(given), CudaError, "gpu.json", "no kernel of warpgroups");
  const auto backend =
      make_cuda_backend({.gemms = {"gpu.json", {}, {{kBackwardKey, {.warpgroups = true}}}}});
  EXPECT_ERROR(run_case(kBackwardCase, *backend, DType::kBFloat16, 1), CudaError, "gpu.json",
               "no kernel of warpgroups");
}

// Every case that it takes, values and gradients, as Cuda.BFloat16 compares them.
TEST_F(AttentionChoice, CasesAreTheReference) {
  const auto reference = make_reference_backend();
  int taken = 0, backward = 0;
  OpCases cases = test_cases();
  cases.push_back(attention_case({1, 256, 2, 52}));
  cases.push_back(attention_case({1, 256, 1, 72}));
  cases.push_back(attention_case({2, 128, 1, 64, {8, 16}}));
  for (const OpCase& op_case : cases) {
    if (op_case.op != "attention" && op_case.op != "plain_attention") continue;
    if (op_case.float32_only) continue;
    const TunedAttentions given = tune(op_case);
    if (given.empty()) continue;
    ++taken;
    for (const auto& [key, tuned] : given) {
      EXPECT_TRUE(tuned.warpgroups) << op_case.name();
      backward += key.backward;
    }
    Tolerance tolerance = tolerance_of(DType::kBFloat16, op_case);
    tolerance.element *= 2;
    if (op_case.op != "attention") tolerance.total *= 3;
    const auto backend = make_cuda_backend({.gemms = {"gpu.json", {}, given}});
    EXPECT_EQ(difference(run_case(op_case, *backend, DType::kBFloat16, 1),
                         run_case(op_case, *reference, DType::kBFloat16, 1), tolerance),
              "")
        << op_case.name();
  }
  EXPECT_GE(taken, 6);
  EXPECT_GE(backward, 3);
}

}  // namespace
}  // namespace edt
