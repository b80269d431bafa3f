#include "data/sample_order.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace edt::data {
namespace {

const std::vector<std::uint64_t> kShards{30, 50, 20};

std::vector<std::uint64_t> epoch(SampleOrder& order, std::uint64_t number) {
  std::vector<std::uint64_t> indices;
  for (std::uint64_t i = 0; i < order.size(); ++i) {
    const SampleRef ref = order.at(number * order.size() + i);
    EXPECT_EQ(ref.epoch, number);
    indices.push_back(ref.index);
  }
  return indices;
}

class Order : public testing::TestWithParam<OrderMode> {
 protected:
  SampleOrder make(std::uint64_t seed, std::uint64_t window = 16) const {
    return SampleOrder({.seed = seed, .mode = GetParam(), .window = window}, kShards, true);
  }
};

TEST_P(Order, EveryEpochHoldsEverySampleOnce) {
  for (std::uint64_t window : {1, 7, 16, 1000}) {
    SampleOrder order = make(3, window);
    for (std::uint64_t e : {0, 1, 5}) {
      const auto indices = epoch(order, e);
      EXPECT_EQ(std::set(indices.begin(), indices.end()).size(), 100u);
      EXPECT_EQ(*std::max_element(indices.begin(), indices.end()), 99u);
    }
  }
}

TEST_P(Order, DependsOnSeedAndEpochOnly) {
  SampleOrder a = make(3), b = make(3), c = make(4);
  const auto first = epoch(a, 2);
  (void)b.at(712);  // any history
  EXPECT_EQ(first, epoch(b, 2));
  EXPECT_NE(first, epoch(c, 2));
  EXPECT_NE(first, epoch(a, 3));
}

TEST_P(Order, FlipsHalfOfTheSamplesAfreshInEachEpoch) {
  SampleOrder order = make(3);
  int flipped = 0, changed = 0;
  std::vector<bool> before(100);
  for (std::uint64_t position = 0; position < 1000; ++position) {
    const SampleRef ref = order.at(position);
    flipped += ref.flipped;
    if (ref.epoch > 0) changed += before[ref.index] != ref.flipped;
    before[ref.index] = ref.flipped;
  }
  EXPECT_NEAR(flipped, 500, 80);  // five standard deviations of a fair coin
  EXPECT_NEAR(changed, 450, 75);
  SampleOrder without({.seed = 3, .mode = GetParam()}, kShards, false);
  for (std::uint64_t position = 0; position < 100; ++position) {
    EXPECT_FALSE(without.at(position).flipped);
  }
}

// A change here would change what every run trains on. Positions around the end of an epoch.
TEST_P(Order, StaysWhatItIs) {
  const bool global = GetParam() == OrderMode::kGlobal;
  const std::vector<std::uint64_t> expected =
      global ? std::vector<std::uint64_t>{72, 52, 20, 7,  88, 5,  66, 87, 53,
                                          89, 30, 41, 13, 85, 32, 4,  60, 0}
             : std::vector<std::uint64_t>{17, 15, 26, 29, 28, 27, 81, 93, 91,
                                          89, 92, 80, 90, 95, 83, 88, 87, 86};
  const std::string expected_flips = global ? "111100110100010110" : "110101010111100111";
  SampleOrder order = make(3);
  std::vector<std::uint64_t> indices;
  std::string flips;
  for (std::uint64_t position = 94; position < 112; ++position) {
    const SampleRef ref = order.at(position);
    indices.push_back(ref.index);
    flips += ref.flipped ? '1' : '0';
  }
  EXPECT_EQ(indices, expected);
  EXPECT_EQ(flips, expected_flips);
}

TEST_P(Order, LeavesOutWhatIsHeldOut) {
  for (const std::uint64_t window : {1, 7, 1000}) {
    SampleOrder order({.seed = 3, .mode = GetParam(), .window = window, .holdout = 0.2}, kShards,
                      true);
    const auto held = order.holdout().held();
    ASSERT_FALSE(held.empty());
    EXPECT_EQ(order.size(), 100 - held.size());
    for (const std::uint64_t e : {0, 1, 5}) {
      const auto indices = epoch(order, e);
      std::set<std::uint64_t> seen(indices.begin(), indices.end());
      EXPECT_EQ(seen.size(), order.size());
      for (const std::uint32_t sample : held) EXPECT_FALSE(seen.contains(sample)) << sample;
      EXPECT_LE(*seen.rbegin(), 99u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, Order, testing::Values(OrderMode::kGlobal, OrderMode::kShardLocal),
                         [](const auto& mode) {
                           return mode.param == OrderMode::kGlobal ? "Global" : "ShardLocal";
                         });

TEST(HoldoutTest, DependsOnSeedAndNumberAlone) {
  const Holdout few(0.1, 5, 1000), many(0.1, 5, 3000), more(0.3, 5, 1000), other(0.1, 6, 1000);
  EXPECT_NEAR(static_cast<double>(few.held().size()), 100, 50);  // five standard deviations
  // A set that grows keeps what was held out, and a larger share has the smaller one in it.
  EXPECT_TRUE(std::ranges::equal(few.held(), many.held().first(few.held().size())));
  EXPECT_TRUE(std::ranges::includes(more.held(), few.held()));
  EXPECT_FALSE(std::ranges::equal(few.held(), other.held()));
  // What the order of a run depends on: a change here trains on what was held out.
  const Holdout small(0.05, 3, 100);
  EXPECT_EQ(std::vector<std::uint32_t>(small.held().begin(), small.held().end()),
            (std::vector<std::uint32_t>{66, 94}));
}

TEST(HoldoutTest, KnowsThoseThatAreTrainedOn) {
  const Holdout holdout(0.3, 1, 50);
  std::vector<std::uint64_t> trained;
  for (std::uint64_t i = 0; i < 50; ++i) {
    if (!std::ranges::binary_search(holdout.held(), i)) trained.push_back(i);
  }
  for (std::size_t place = 0; place < trained.size(); ++place) {
    EXPECT_EQ(holdout.trained(place), trained[place]);
  }
  const std::vector<std::uint64_t> shards{20, 0, 1, 29};
  const auto sizes = holdout.trained_sizes(shards);
  EXPECT_EQ(sizes[0], static_cast<std::uint64_t>(
                          std::ranges::count_if(trained, [](auto i) { return i < 20; })));
  EXPECT_EQ(sizes[1], 0u);
  EXPECT_EQ(sizes[0] + sizes[2] + sizes[3], trained.size());
}

TEST(HoldoutTest, OfNoneOrOfAllIsRefused) {
  EXPECT_THAT(edt::test::message_of<DataError>([] { Holdout(1e-6, 1, 40); }),
              testing::HasSubstr("data.holdout 1e-06 keeps 0 of 40 samples out of training"));
  EXPECT_THAT(edt::test::message_of<DataError>([] { Holdout(1, 1, 40); }),
              testing::HasSubstr("data.holdout 1 keeps 40 of 40 samples"));
}

TEST(ShardLocalOrder, AWindowTouchesFewShards) {
  const std::vector<std::uint64_t> shards(50, 20);
  SampleOrder order({.seed = 1, .mode = OrderMode::kShardLocal, .window = 40}, shards, false);
  for (std::uint64_t begin = 0; begin < 1000; begin += 40) {
    std::set<std::uint64_t> touched;
    for (std::uint64_t i = begin; i < begin + 40; ++i) touched.insert(order.at(i).index / 20);
    EXPECT_EQ(touched.size(), 2u);
  }
}

}  // namespace
}  // namespace edt::data
