#include "data/sample_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

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

INSTANTIATE_TEST_SUITE_P(Modes, Order, testing::Values(OrderMode::kGlobal, OrderMode::kShardLocal),
                         [](const auto& mode) {
                           return mode.param == OrderMode::kGlobal ? "Global" : "ShardLocal";
                         });

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
