#include "parallel/tree_accumulate.h"

#include <gmock/gmock.h>
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

void run_step(TreeAccumulator& accumulator, std::size_t size) {
  accumulator.reset();
  for (int i = 0; i < accumulator.leaves(); ++i) {
    const Values gradient = micro_batch_gradient(size, i);
    std::copy(gradient.begin(), gradient.end(), accumulator.leaf().begin());
    accumulator.add();
  }
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

class TreeAccumulate : public ::testing::TestWithParam<int> {};

TEST_P(TreeAccumulate, EqualsTheExplicitTreeBitForBit) {
  constexpr std::size_t kSize = 5000;  // not a multiple of a chunk
  Values result(kSize);
  TreeAccumulator accumulator(host_memory(), result, GetParam());
  for (int step = 0; step < 2; ++step) {  // the second finds the remains of the first
    run_step(accumulator, kSize);
    ASSERT_TRUE(accumulator.complete());
    EXPECT_EQ(accumulator.result().data(), result.data());
    EXPECT_TRUE(same_bits(result, tree_sum(kSize, 0, GetParam())));
  }
}

TEST_P(TreeAccumulate, HoldsOneBufferPerLevelBesideTheResult) {
  Values result(64);
  const TreeAccumulator accumulator(host_memory(), result, GetParam());
  const auto levels = static_cast<std::size_t>(std::bit_width(unsigned(GetParam()))) - 1;
  EXPECT_EQ(accumulator.bytes(), levels * result.size() * sizeof(float));
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
  Values result(kSize);
  TreeAccumulator accumulator(host_memory(), result, 8);
  run_step(accumulator, kSize);
  EXPECT_TRUE(same_bits(result, left));
}

TEST(TreeAccumulateOrder, RefusesOtherCounts) {
  Values result(16);
  for (const int leaves : {0, -2, 3, 6}) {
    EXPECT_THROW(TreeAccumulator(host_memory(), result, leaves), Error) << leaves;
  }
}

}  // namespace
}  // namespace edt
