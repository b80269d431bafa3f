#include "core/ops/rows.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/cpu/cpu_backend.h"

namespace edt {
namespace {

using ::testing::ElementsAre;

class Rows : public testing::Test {
 protected:
  Var leaf(std::vector<float>& values, std::int64_t rows) {
    const auto columns = static_cast<std::int64_t>(values.size()) / rows;
    return tape_.leaf(view_of(std::span(values), {rows, columns}), true);
  }
  void seed(const Var& y, float first) {
    for (float& d : tape_.target(y.grad()).tensor.span<float>()) d = first++;
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Arena arena_{backend_->memory()};
  Profiler profiler_;
  Tape tape_{*backend_, arena_, profiler_, DType::kFloat32};
};

TEST_F(Rows, PartsOfABatchLeaveTheRestWithoutGradient) {
  std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8};
  {
    const Var x = leaf(values, 4);
    const Var middle = take_rows(tape_, x, 1, 3), end = take_rows(tape_, x, 2, 4);
    EXPECT_THAT(middle.tensor().span<float>(), ElementsAre(3, 4, 5, 6));
    EXPECT_THAT(end.tensor().span<float>(), ElementsAre(5, 6, 7, 8));
    seed(middle, 10);
    seed(end, 100);
    tape_.backward();
    EXPECT_THAT(tape_.grad_of(x).span<float>(), ElementsAre(0, 0, 10, 11, 112, 114, 102, 103));
  }
  tape_.clear();
}

TEST_F(Rows, JoinedBatchesGetTheirParts) {
  std::vector<float> first{1, 2}, second{3, 4, 5, 6};
  {
    const Var a = leaf(first, 1), b = leaf(second, 2);
    const Var y = join_rows(tape_, a, b), again = join_rows(tape_, b, b);
    EXPECT_THAT(y.tensor().span<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
    seed(y, 1);
    seed(again, 10);
    tape_.backward();
    EXPECT_THAT(tape_.grad_of(a).span<float>(), ElementsAre(1, 2));
    EXPECT_THAT(tape_.grad_of(b).span<float>(), ElementsAre(27, 30, 33, 36));
  }
  tape_.clear();
}

TEST_F(Rows, WhatDoesNotFitIsRefused) {
  std::vector<float> first{1, 2}, second{3, 4, 5};
  EXPECT_THROW(take_rows(tape_, leaf(first, 2), 1, 3), Error);
  EXPECT_THROW(join_rows(tape_, leaf(first, 1), leaf(second, 1)), Error);
  tape_.clear();
}

}  // namespace
}  // namespace edt
