#include "parallel/zero/gradients.h"

#include <gtest/gtest.h>

#include "tests/parallel/zero/fixture.h"

namespace edt::test {
namespace {

// Ranks, micro-batches of the global batch.
using GradientsCase = std::tuple<int, int, ZeroStage>;

std::unique_ptr<Gradients> make_gradients(const Rank& rank, int micro_batches) {
  return rank.config.stage < ZeroStage::kGradients
             ? make_whole_gradients(rank.context, micro_batches)
             : make_sharded_gradients(rank.context, micro_batches);
}

Values gradient(const FlatLayout& layout, std::int64_t micro_batch) {
  return random_values(layout, 100 + static_cast<std::uint32_t>(micro_batch));
}

// Backward of one micro-batch: buckets become final from the last to the first.
void backward(const Rank& rank, Gradients& gradients, std::int64_t micro_batch) {
  const Values values = gradient(rank.layout(), micro_batch);
  for (std::size_t b = rank.buckets(); b-- > 0;) {
    gradients.provide(b);
    for (std::size_t t = rank.plan.bucket(b).first; t < rank.plan.bucket(b).last; ++t) {
      const FlatTensor& tensor = rank.layout().tensor(t);
      std::ranges::copy(part(values, tensor.offset, tensor.elements()),
                        rank.pointers[t]->grad.span<float>().begin());
    }
    gradients.bucket_final(b);
  }
}

class GradientsOverRanks : public ::testing::TestWithParam<GradientsCase> {};

TEST_P(GradientsOverRanks, AreTheTreeSumOfAllMicroBatches) {
  const auto [ranks, micro_batches, stage] = GetParam();
  for (const Groups& groups : {kOneBlockEach, kUneven, kOneGroup}) {
    const FlatLayout layout = layout_of(groups);
    const Values expected =
        sum_of_all(micro_batches, [&](int index) { return gradient(layout, index); });
    run_ranks(ranks, [&, count = micro_batches, stage = stage](Communicator& world) {
      Rank rank(groups, world, {.stage = stage, .bucket_elements = 2 * kBlock});
      const auto gradients = make_gradients(rank, count);
      for (int step = 0; step < 2; ++step) {  // the second finds the remains of the first
        int index = 0;
        for (const std::int64_t micro_batch : gradients->micro_batches(count)) {
          gradients->begin_micro_batch(index++);
          backward(rank, *gradients, micro_batch);
        }
        rank.queue.wait_all();
        for (std::size_t b = 0; b < rank.buckets(); ++b) {
          const auto& [own, kept] = std::pair(rank.plan.bucket(b).own, rank.plan.bucket(b).kept);
          EXPECT_TRUE(same_bits(gradients->own(b), part(expected, own.begin, own.elements())))
              << world.name() << ", " << rank.plan.bucket(b).name;
          EXPECT_TRUE(same_bits(gradients->kept(b), part(expected, kept.begin, kept.elements())))
              << world.name() << ", " << rank.plan.bucket(b).name;
        }
      }
      const auto entered = static_cast<std::int32_t>(rank.collectives());
      EXPECT_EQ(world.all_reduce_value(entered, Reduce::kMax, "most"), entered);
    });
  }
}

TEST_P(GradientsOverRanks, ShareTheMicroBatches) {
  const auto [ranks, micro_batches, stage] = GetParam();
  std::mutex mutex;
  std::vector<std::int64_t> all;
  run_ranks(ranks, [&, count = micro_batches, stage = stage](Communicator& world) {
    Rank rank(kUneven, world, {.stage = stage});
    const std::lock_guard lock(mutex);
    for (const auto index : make_gradients(rank, count)->micro_batches(count)) all.push_back(index);
  });
  std::ranges::sort(all);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(all.size(), static_cast<std::size_t>(micro_batches));
}

const auto kEveryStage = ::testing::Values(ZeroStage::kNone, ZeroStage::kOptimizer,
                                           ZeroStage::kGradients, ZeroStage::kWeights);
INSTANTIATE_TEST_SUITE_P(Cases, GradientsOverRanks,
                         ::testing::Combine(::testing::Values(1, 2, 4, 8), ::testing::Values(8, 16),
                                            kEveryStage));
// Groups that meet at the end of the only turn, and ranks that take several.
INSTANTIATE_TEST_SUITE_P(Odd, GradientsOverRanks,
                         ::testing::Combine(::testing::Values(1, 2, 3, 6),
                                            ::testing::Values(6, 12, 18), kEveryStage));
INSTANTIATE_TEST_SUITE_P(Five, GradientsOverRanks,
                         ::testing::Combine(::testing::Values(1, 3, 5),
                                            ::testing::Values(15, 30, 45), kEveryStage));

// A rank keeps parts of sums for what it owns, which may be nothing.
TEST(ShardedGradients, TakeMemoryForWhatARankOwns) {
  run_ranks(4, [](Communicator& world) {
    Rank rank(kOneBlockEach, world, {.stage = ZeroStage::kGradients});
    const auto gradients = make_sharded_gradients(rank.context, 4);
    const auto bytes = gradients->bytes_by_category();
    const std::size_t all = static_cast<std::size_t>(rank.layout().size()) * sizeof(float);
    EXPECT_EQ(bytes[0].bytes, world.rank() == 3 ? all : 0);
    EXPECT_EQ(bytes[2].bytes, 2 * kBlock * sizeof(float));
  });
}

// Of several groups: for one micro-batch each nothing but the part; for more, sums of the group for
// all of its counterparts.
TEST(ShardedGradients, TakeMemoryForWhatAGroupSums) {
  for (const auto& [ranks, micro_batches, kept] : {std::tuple{3, 3, 0},
                                                   {3, 6, 3},
                                                   {3, 12, 6},
                                                   {6, 12, 3},
                                                   {6, 48, 9},
                                                   {2, 6, 0},
                                                   {2, 12, 1}}) {
    run_ranks(ranks, [&, count = micro_batches, kept = kept](Communicator& world) {
      Rank rank({{6 * kBlock}}, world, {.stage = ZeroStage::kGradients});
      const auto bytes = make_sharded_gradients(rank.context, count)->bytes_by_category();
      const std::size_t own = 6 * kBlock * sizeof(float) / static_cast<std::size_t>(world.size());
      EXPECT_EQ(bytes[0].bytes, own);
      EXPECT_EQ(bytes[1].bytes, static_cast<std::size_t>(kept) * own)
          << world.size() << " ranks, " << count << " micro-batches";
    });
  }
}

// Where a bucket's memory was another's, what lies between its tensors is zero again: it counts in
// the norm.
TEST(ShardedGradients, LeaveNothingBetweenTensors) {
  const Groups groups{{2 * kBlock}, {3, 5}};
  run_ranks(2, [&](Communicator& world) {
    Rank rank(groups, world, {.stage = ZeroStage::kGradients, .overlap = false});
    const auto gradients = make_sharded_gradients(rank.context, 2);
    gradients->begin_micro_batch(0);
    for (const std::size_t b : {std::size_t{0}, std::size_t{0}, std::size_t{1}}) {
      gradients->provide(b);
      for (std::size_t t = rank.plan.bucket(b).first; t < rank.plan.bucket(b).last; ++t) {
        rank.device->fill(rank.pointers[t]->grad, 1);
      }
      gradients->bucket_final(b);
    }
    double sum = 0;
    for (const float value : gradients->own(1)) sum += double(value);
    EXPECT_EQ(world.all_reduce_value(sum, Reduce::kSum, "sum"), 2 * (3 + 5));
  });
}

}  // namespace
}  // namespace edt::test
