// Many rows, of which each thread takes chunks of its own.
#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

#include "core/cpu/chunks.h"
#include "core/cpu/cpu_backend.h"
#include "core/ops/mlp.h"
#include "core/reference/reference_backend.h"
#include "tests/core/ops/case_name.h"
#include "tests/core/ops/comparison.h"
#include "tests/core/ops/cpu/cpu_tensors.h"
#include "tests/support/omp_threads.h"

namespace edt {
namespace {

// 1100 columns of float32 are 476 rows to a chunk: forward each thread has two, backward all have
// two together.
std::vector<OpCase> cases_of_many_rows() {
  return {linear_case({3, 500, 8}, 1100, {}),
          linear_case({3, 500, 8}, 5, {.positions = true}),
          concat_linear_case({3, 500, 8}, 4, 1100),
          mlp_case({3, 500, 8}, 1100),
          mlp_case({1, 767, 8}, 24),  // a row fewer than go alone
          mlp_case({1, 769, 8}, 24),
          kept_mlp_case({3, 500, 8}, 1100),
          swiglu_case({3, 500, 8}, 550)};
}

class OwnChunks : public testing::TestWithParam<OpCase> {
 protected:
  void expect_equal(DType dtype) const {
    const auto cpu = make_cpu_backend();
    const auto reference = make_reference_backend();
    EXPECT_EQ(
        difference(run_case(GetParam(), *cpu, dtype, 2), run_case(GetParam(), *reference, dtype, 2),
                   tolerance_of(dtype, GetParam())),
        "");
  }

  test::OmpThreads threads_{3};
};

TEST_P(OwnChunks, Float32) { expect_equal(DType::kFloat32); }
TEST_P(OwnChunks, BFloat16) { expect_equal(DType::kBFloat16); }

TEST_P(OwnChunks, Repeat) {
  const auto cpu = make_cpu_backend();
  const auto first = run_case(GetParam(), *cpu, DType::kBFloat16, 1);
  const auto second = run_case(GetParam(), *cpu, DType::kBFloat16, 1);
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].values, second[i].values) << first[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, OwnChunks, testing::ValuesIn(cases_of_many_rows()), case_name);

class OwnChunksOfMlp : public CpuTensors {
 protected:
  std::vector<double> mlp(const MlpHidden& hidden) {
    const Tensor y = empty(x_.shape);
    backend_->mlp_forward(x_, weights_, hidden, y);
    return read_values(*backend_, y);
  }

  test::OmpThreads threads_{3};
  Tensor x_ = drawn({1500, 8});
  MlpWeights weights_{drawn({1100, 8}), drawn({1100}), drawn({8, 1100}), drawn({8})};
};

// Recomputing a block keeps what its first pass did not.
TEST_P(OwnChunksOfMlp, KeepingHiddenLeavesTheBits) {
  const Tensor hidden = empty({1500, 1100});
  EXPECT_EQ(mlp({}), mlp({.before = hidden}));
}

INSTANTIATE_TEST_SUITE_P(, OwnChunksOfMlp, testing::Values(DType::kFloat32, DType::kBFloat16));

TEST(EachThreadAlone, HasAPartAndNoOtherThreads) {
  const test::OmpThreads threads(3);
  std::array<Range, 3> parts;
  std::array<std::int64_t, 3> counts{};
  each_thread_alone(10, [&](std::int64_t thread, Range part) {
    parts[static_cast<std::size_t>(thread)] = part;
    counts[static_cast<std::size_t>(thread)] = thread_count();
  });
  EXPECT_EQ(counts, (std::array<std::int64_t, 3>{1, 1, 1}));
  EXPECT_EQ(parts[0].begin, 0);
  EXPECT_EQ(parts[0].end, parts[1].begin);
  EXPECT_EQ(parts[1].end, parts[2].begin);
  EXPECT_EQ(parts[2].end, 10);
  EXPECT_EQ(thread_count(), 3);
}

TEST(EachThreadAlone, WhatOneThrowsArrives) {
  const test::OmpThreads threads(3);
  EXPECT_THROW(each_thread_alone(3,
                                 [](std::int64_t, Range part) {
                                   if (part.begin == 1) throw std::runtime_error("of one");
                                 }),
               std::runtime_error);
  EXPECT_EQ(thread_count(), 3);
}

}  // namespace
}  // namespace edt
