#include "parallel/sharding/gradient_accumulator.h"

#include "core/reference/reference_backend.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/base/error.h"
#include "core/random/stream.h"
#include "parallel/sharding/shard_groups.h"

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

// Runs of a power of two, an odd number of them, from left to right.
Values sum_of_all(std::size_t size, int count) {
  const auto run = static_cast<int>(SumTree::of(count).leaves);
  Values sum = tree_sum(size, 0, run);
  for (int first = run; first < count; first += run) {
    const Values next = tree_sum(size, first, run);
    for (std::size_t i = 0; i < size; ++i) sum[i] += next[i];
  }
  return sum;
}

class TreeAccumulate : public ::testing::TestWithParam<int> {};

TEST_P(TreeAccumulate, EqualsTheExplicitTreeBitForBit) {
  constexpr std::int64_t kSize = 5000;  // not a multiple of a chunk
  const SumShare all = SumShare::of(GetParam(), 1);
  GradientAccumulator own(device(), kSize, all, GradientAccumulator::Leaves::kOwn);
  GradientAccumulator foreign(device(), kSize, all, GradientAccumulator::Leaves::kForeign);
  const Values expected = sum_of_all(kSize, GetParam());
  for (int step = 0; step < 2; ++step) {  // the second finds the remains of the first
    run_step(own, kSize);
    EXPECT_TRUE(same_bits(own.result(), expected));
    run_foreign_step(foreign, kSize);
    EXPECT_TRUE(same_bits(foreign.result(), expected));
  }
}

TEST_P(TreeAccumulate, HoldsOneBufferPerLevel) {
  const SumTree tree = SumTree::of(GetParam());
  const auto in_run = static_cast<std::size_t>(std::bit_width(unsigned(tree.leaves))) - 1;
  const std::size_t levels = in_run + (tree.runs > 1 ? 1 : 0);  // one for the runs before
  const SumShare all = SumShare::of(GetParam(), 1);
  const GradientAccumulator own(device(), 64, all, GradientAccumulator::Leaves::kOwn);
  EXPECT_EQ(own.bytes(), (levels + 1) * 64 * sizeof(float));
  const GradientAccumulator foreign(device(), 64, all, GradientAccumulator::Leaves::kForeign);
  EXPECT_EQ(foreign.bytes(), std::max(levels, std::size_t{1}) * 64 * sizeof(float));
}

INSTANTIATE_TEST_SUITE_P(Leaves, TreeAccumulate,
                         ::testing::Values(1, 2, 4, 8, 16, 3, 5, 6, 12, 15, 20));

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
  GradientAccumulator accumulator(device(), kSize, SumShare::of(8, 1),
                                  GradientAccumulator::Leaves::kOwn);
  run_step(accumulator, kSize);
  EXPECT_TRUE(same_bits(accumulator.result(), left));
}

// What each rank does, for all ranks and micro-batches up to some: each micro-batch once, the first
// and the last place of a step no other's.
TEST(SumShare, SharesEveryMicroBatchOnce) {
  for (int ranks = 1; ranks <= 30; ++ranks) {
    for (int each = 1; each <= 12; ++each) {
      const int count = ranks * each;
      const SumShare share = SumShare::of(count, ranks);
      ASSERT_EQ(share.count(), each);
      for (const int alternating : shard_group_sizes(ranks)) {
        std::vector<std::int64_t> all;
        for (int rank = 0; rank < ranks; ++rank) {
          for (const auto one : micro_batches_of(count, rank, ranks, alternating)) {
            all.push_back(one);
          }
        }
        std::ranges::sort(all);
        for (int i = 0; i < count; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
      }
      for (int i = 1; i < each; ++i) {
        EXPECT_NE(share.place_of(i), share.place_of(0));
        EXPECT_NE(share.place_of(i - 1), share.place_of(each - 1));
      }
    }
  }
}

// Work of one place is done by the same graph: also by ranks that keep a turn's sums apart from
// those of the turns before, where the first leaf of a turn has less before it.
TEST(SumShare, PlacesTellTurnsApart) {
  for (const int each : {6, 12, 20, 24, 56}) {
    const SumShare share = SumShare::of(2 * each, 2), turn{1, share.leaves};
    for (int i = 0; i < each; ++i) {
      for (int j = 0; j < i; ++j) {
        if (share.place_of(i) != share.place_of(j)) continue;
        EXPECT_EQ(turn.place_of(i % share.leaves), turn.place_of(j % share.leaves))
            << i << " " << j;
        EXPECT_EQ(i < share.leaves, j < share.leaves) << i << " " << j;
        EXPECT_EQ(share.ends_turn(i), share.ends_turn(j)) << i << " " << j;
      }
    }
  }
}

// Power-of-two layouts: neighbours in each rank, or one after the other.
TEST(SumShare, OfPowersOfTwoIsOneTurn) {
  EXPECT_EQ(micro_batches_of(8, 1, 4, 1), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(micro_batches_of(8, 1, 4, 4), (std::vector<std::int64_t>{1, 5}));
  EXPECT_EQ(micro_batches_of(8, 1, 4, 2), (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(micro_batches_of(8, 2, 4, 2), (std::vector<std::int64_t>{4, 6}));
  EXPECT_EQ(SumShare::of(8, 4).turns, 1);
  // 12 = 3 runs of 4: groups 01, 23 and 45 take one each.
  EXPECT_EQ(micro_batches_of(12, 3, 6, 1), (std::vector<std::int64_t>{6, 7}));
  EXPECT_EQ(micro_batches_of(12, 3, 6, 6), (std::vector<std::int64_t>{5, 7}));
  // Two ranks take one run after the other.
  EXPECT_EQ(micro_batches_of(12, 1, 2, 1), (std::vector<std::int64_t>{2, 3, 6, 7, 10, 11}));
  EXPECT_EQ(SumShare::of(12, 2).turns, 3);
}

TEST(MicroBatchSizes, CutTheBatch) {
  EXPECT_EQ(micro_batch_sizes(96, 3), (std::vector<std::int64_t>{32, 16, 8, 4, 2, 1}));
  EXPECT_EQ(micro_batch_sizes(96, 1), (std::vector<std::int64_t>{96, 48, 24, 12, 6, 3}));
  EXPECT_TRUE(micro_batch_sizes(96, 5).empty());
}

}  // namespace
}  // namespace edt
