#include "parallel/zero/bucket_plan.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "tests/parallel/zero/fixture.h"

namespace edt::test {
namespace {

constexpr ZeroStage kStages[] = {ZeroStage::kNone, ZeroStage::kOptimizer, ZeroStage::kGradients,
                                 ZeroStage::kWeights};

std::vector<BucketPlan> plans_of(const Groups& groups, ZeroStage stage, int ranks,
                                 std::int64_t bucket_elements = 1) {
  std::vector<BucketPlan> plans;
  for (int rank = 0; rank < ranks; ++rank) {
    plans.emplace_back(layout_of(groups),
                       ZeroConfig{.stage = stage, .bucket_elements = bucket_elements}, rank, ranks);
  }
  return plans;
}

class BucketPlanOverRanks : public ::testing::TestWithParam<int> {};

TEST_P(BucketPlanOverRanks, PartsCoverEachBucketOnceInWholeBlocks) {
  for (const Groups& groups : {kOneBlockEach, kUneven, kOneGroup}) {
    for (const ZeroStage stage : kStages) {
      const auto plans = plans_of(groups, stage, GetParam());
      for (std::size_t b = 0; b < plans[0].buckets().size(); ++b) {
        std::int64_t end = plans[0].bucket(b).range.begin;
        for (const BucketPlan& plan : plans) {
          EXPECT_EQ(plan.bucket(b).own.begin, end);
          EXPECT_EQ(plan.bucket(b).own.elements() % kBlock, 0);
          EXPECT_EQ(plan.bucket(b).bounds, plans[0].bucket(b).bounds);
          end = plan.bucket(b).own.end;
        }
        EXPECT_EQ(end, plans[0].bucket(b).range.end);
      }
    }
  }
}

TEST_P(BucketPlanOverRanks, AllRanksSayTheSameOfTheState) {
  for (const Groups& groups : {kOneBlockEach, kUneven, kOneGroup}) {
    for (const ZeroStage stage : kStages) {
      for (const BucketPlan& plan : plans_of(groups, stage, GetParam())) {
        EXPECT_EQ(plan.state_is_whole(), stage == ZeroStage::kNone || GetParam() == 1)
            << "stage " << static_cast<int>(stage);
        EXPECT_EQ(plan.state_shard().elements(),
                  plan.state_is_whole() ? plan.layout().size() : plan.shard().elements());
      }
    }
  }
}

TEST_P(BucketPlanOverRanks, WhatIsSavedIsTheLayoutOnce) {
  for (const ZeroStage stage : kStages) {
    std::vector<int> saved(static_cast<std::size_t>(layout_of(kUneven).size()) / kBlock);
    for (const BucketPlan& plan : plans_of(kUneven, stage, GetParam())) {
      for (const FlatShard::Part& one : plan.saved_shard().parts) {
        for (std::int64_t at = one.range.begin; at < one.range.end; at += kBlock) {
          ++saved[static_cast<std::size_t>(at / kBlock)];
        }
        // Where the part lies in the arrays of the state, which are whole or packed.
        if (plan.state_is_whole()) {
          EXPECT_EQ(one.offset, one.range.begin);
        }
        EXPECT_LE(one.offset + one.range.elements(), plan.state_shard().elements());
      }
    }
    EXPECT_THAT(saved, ::testing::Each(1));
  }
}

TEST_P(BucketPlanOverRanks, WhatIsKeptLiesInTheState) {
  for (const ZeroStage stage : kStages) {
    for (const BucketPlan& plan : plans_of(kUneven, stage, GetParam())) {
      std::int64_t packed = 0;
      for (const PlannedBucket& bucket : plan.buckets()) {
        EXPECT_EQ(bucket.packed, packed);
        packed += bucket.own.elements();
        EXPECT_EQ(bucket.kept, plan.state_is_whole() ? bucket.range : bucket.own);
        EXPECT_EQ(bucket.kept_at, plan.state_is_whole() ? bucket.range.begin : bucket.packed);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, BucketPlanOverRanks, ::testing::Values(1, 2, 3, 4, 8));

// The layout for which ranks once disagreed: the last one owns everything, the others nothing.
TEST(BucketPlan, BlocksThatCannotBeSharedBelongToTheLastRank) {
  const auto plans = plans_of(kOneBlockEach, ZeroStage::kGradients, 4);
  EXPECT_EQ(plans[3].shard().elements(), plans[3].layout().size());
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(plans[std::size_t(rank)].shard().elements(), 0);
  for (const BucketPlan& plan : plans) EXPECT_FALSE(plan.state_is_whole());
}

TEST(BucketPlan, BucketsAreJoinedWhereGradientsAreWhole) {
  for (const ZeroStage stage : kStages) {
    const auto plans = plans_of(kUneven, stage, 2, 5 * kBlock);
    EXPECT_EQ(plans[0].buckets().size(), stage < ZeroStage::kGradients ? 2u : kUneven.size());
    EXPECT_EQ(plans[0].largest(), stage < ZeroStage::kGradients ? 6 * kBlock : 4 * kBlock);
  }
}

TEST(BucketPlan, FindsTheBucketOfATensor) {
  const auto plans = plans_of(kUneven, ZeroStage::kWeights, 2);
  const std::vector<std::size_t> expected{0, 1, 2, 2, 3, 3, 3};
  for (std::size_t t = 0; t < expected.size(); ++t) EXPECT_EQ(plans[0].bucket_of(t), expected[t]);
}

}  // namespace
}  // namespace edt::test
