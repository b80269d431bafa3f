#include "parallel/sharding/flat_state.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"

namespace edt {
namespace {

const auto kDevice = make_reference_backend();
const FlatLayout kLayout({{"a.weight", {3, 5}}, {"b.bias", {20}}}, 64);

TEST(FlatState, HoldsTheShardAndNothingElse) {
  const FlatShard second = kLayout.shard(kLayout.buckets(1 << 20), 1, 2);
  const FlatState state(*kDevice, second, {"m", "v"});
  EXPECT_EQ(state.master().size(), 64u);
  EXPECT_EQ(state.ema().size(), 64u);
  EXPECT_EQ(state.state(1).size(), 64u);
  EXPECT_EQ(state.state_name(1), "v");
  EXPECT_THAT(state.master(), ::testing::Each(0.f));
}

TEST(FlatState, AccountsForEveryByte) {
  const FlatState state(*kDevice, kLayout.whole(), {"m", "v"});
  std::vector<std::size_t> bytes;
  for (const MemoryUse& use : state.bytes_by_category()) bytes.push_back(use.bytes);
  EXPECT_THAT(bytes, ::testing::ElementsAre(512, 1024, 512));
}

TEST(FlatState, KeepsAveragesBeside) {
  const FlatState state(*kDevice, kLayout.whole(), {"m"}, {"0.05", "0.1"});
  EXPECT_EQ(state.average_count(), 2u);
  EXPECT_EQ(state.average_name(1), "0.1");
  EXPECT_EQ(state.average(1).size(), 128u);
  EXPECT_EQ(state.bytes_by_category().back().category, "power-function averages");
  EXPECT_EQ(state.bytes_by_category().back().bytes, 1024u);
}

}  // namespace
}  // namespace edt
