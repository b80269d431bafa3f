#include "parallel/sharding/gradient_accumulator.h"

#include "core/reference/reference_backend.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/base/error.h"
#include "core/random/stream.h"

namespace edt {
namespace {

using Values = std::vector<float>;

Values micro_batch_gradient(std::size_t size, int index) {
  Values values(size);
  random::fill_normal({.seed = 7, .sample = static_cast<std::uint32_t>(index)}, values);
  return values;
}

// The definition: halve the leaves, sum each half, add.
Values tree_sum(std::size_t size, int first, int count) {
  if (count == 1) return micro_batch_gradient(size, first);
  Values left = tree_sum(size, first, count / 2);
  const Values right = tree_sum(size, first + count / 2, count / 2);
  for (std::size_t i = 0; i < size; ++i) left[i] += right[i];
  return left;
}

void run_step(GradientAccumulator& accumulator, std::int64_t size) {
  for (int i = 0; i < accumulator.count(); ++i) {
    std::ranges::copy(micro_batch_gradient(static_cast<std::size_t>(size), i),
                      accumulator.leaf(i).begin());
    accumulator.add(i, {size / 3, size});  // ranges in any order
    accumulator.add(i, {0, size / 3});
  }
}

void run_foreign_step(GradientAccumulator& accumulator, std::int64_t size) {
  for (int i = 0; i < accumulator.count(); ++i) {
    const Values gradient = micro_batch_gradient(static_cast<std::size_t>(size), i);
    accumulator.add(i, {0, size}, gradient);
  }
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

Device& device() {
  static const auto backend = make_reference_backend();
  return *backend;
}

class TreeAccumulate : public ::testing::TestWithParam<int> {};

TEST_P(TreeAccumulate, EqualsTheExplicitTreeBitForBit) {
  constexpr std::int64_t kSize = 5000;  // not a multiple of a chunk
  GradientAccumulator own(device(), kSize, GetParam(), GradientAccumulator::Leaves::kOwn);
  GradientAccumulator foreign(device(), kSize, GetParam(), GradientAccumulator::Leaves::kForeign);
  const Values expected = tree_sum(kSize, 0, GetParam());
  for (int step = 0; step < 2; ++step) {  // the second finds the remains of the first
    run_step(own, kSize);
    EXPECT_TRUE(same_bits(own.result(), expected));
    run_foreign_step(foreign, kSize);
    EXPECT_TRUE(same_bits(foreign.result(), expected));
  }
}

TEST_P(TreeAccumulate, HoldsOneBufferPerLevel) {
  const auto levels = static_cast<std::size_t>(std::bit_width(unsigned(GetParam()))) - 1;
  const GradientAccumulator own(device(), 64, GetParam(), GradientAccumulator::Leaves::kOwn);
  EXPECT_EQ(own.bytes(), (levels + 1) * 64 * sizeof(float));
  const GradientAccumulator foreign(device(), 64, GetParam(),
                                    GradientAccumulator::Leaves::kForeign);
  EXPECT_EQ(foreign.bytes(), std::max(levels, std::size_t{1}) * 64 * sizeof(float));
}

INSTANTIATE_TEST_SUITE_P(Leaves, TreeAccumulate, ::testing::Values(1, 2, 4, 8, 16));

// Guards the test above: with these values the order of additions shows.
TEST(TreeAccumulateOrder, DiffersFromTheSumInSequence) {
  constexpr std::size_t kSize = 1000;
  Values sequence = micro_batch_gradient(kSize, 0);
  for (int leaf = 1; leaf < 8; ++leaf) {
    const Values gradient = micro_batch_gradient(kSize, leaf);
    for (std::size_t i = 0; i < kSize; ++i) sequence[i] += gradient[i];
  }
  EXPECT_FALSE(same_bits(sequence, tree_sum(kSize, 0, 8)));
}

TEST(TreeAccumulateOrder, SubtreesOfTwoRanksAddUpToTheWholeTree) {
  constexpr std::size_t kSize = 300;
  Values left = tree_sum(kSize, 0, 4);
  const Values right = tree_sum(kSize, 4, 4);
  for (std::size_t i = 0; i < kSize; ++i) left[i] += right[i];
  GradientAccumulator accumulator(device(), kSize, 8, GradientAccumulator::Leaves::kOwn);
  run_step(accumulator, kSize);
  EXPECT_TRUE(same_bits(accumulator.result(), left));
}

TEST(TreeAccumulateOrder, RefusesOtherCounts) {
  for (const int count : {0, -2, 3, 6}) {
    EXPECT_THROW(GradientAccumulator(device(), 16, count, GradientAccumulator::Leaves::kOwn), Error)
        << count;
  }
}

}  // namespace
}  // namespace edt
