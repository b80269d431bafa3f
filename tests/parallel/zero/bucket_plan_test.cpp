#include "parallel/zero/bucket_plan.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "tests/parallel/zero/fixture.h"

namespace edt::test {
namespace {

constexpr ZeroStage kStages[] = {ZeroStage::kNone, ZeroStage::kOptimizer, ZeroStage::kGradients,
                                 ZeroStage::kWeights};

std::vector<BucketPlan> plans_of(const Groups& groups, ZeroStage stage, int ranks,
                                 std::int64_t bucket_elements = 1, int shard_ranks = 0) {
  std::vector<BucketPlan> plans;
  for (int rank = 0; rank < ranks; ++rank) {
    plans.emplace_back(
        layout_of(groups),
        ZeroConfig{.stage = stage, .shard_ranks = shard_ranks, .bucket_elements = bucket_elements},
        rank, ranks);
  }
  return plans;
}

struct Way {
  ZeroStage stage;
  int shard_ranks;
};

class BucketPlanOverRanks : public ::testing::TestWithParam<int> {
 protected:
  static int ranks() { return GetParam(); }
  // Every stage with every size of shard groups.
  static std::vector<Way> ways() {
    std::vector<Way> all;
    for (const ZeroStage stage : kStages) {
      all.push_back({stage, 0});
      for (const int size : shard_group_sizes(ranks())) all.push_back({stage, size});
    }
    return all;
  }
  static std::vector<BucketPlan> plans(const Groups& groups, const Way& way) {
    return plans_of(groups, way.stage, ranks(), 1, way.shard_ranks);
  }
};

// How often each block of `groups` is in one of the ranges.
template <class Ranges>
std::vector<int> times_covered(const Groups& groups, const std::vector<BucketPlan>& plans,
                               Ranges ranges) {
  std::vector<int> times(static_cast<std::size_t>(layout_of(groups).size()) / kBlock);
  for (const BucketPlan& plan : plans) {
    for (const FlatRange& range : ranges(plan)) {
      EXPECT_EQ(range.elements() % kBlock, 0);
      for (std::int64_t at = range.begin; at < range.end; at += kBlock) {
        ++times[static_cast<std::size_t>(at / kBlock)];
      }
    }
  }
  return times;
}

std::vector<FlatRange> kept_of(const BucketPlan& plan) {
  std::vector<FlatRange> ranges;
  for (const PlannedBucket& bucket : plan.buckets()) ranges.push_back(bucket.kept);
  return ranges;
}

std::vector<FlatRange> own_of(const BucketPlan& plan) {
  std::vector<FlatRange> ranges;
  for (const FlatShard::Part& part : plan.own_shard().parts) ranges.push_back(part.range);
  return ranges;
}

TEST_P(BucketPlanOverRanks, EachGroupKeepsTheLayoutOnce) {
  for (const Groups& groups : {kOneBlockEach, kUneven, kOneGroup}) {
    for (const Way& way : ways()) {
      const auto all = plans(groups, way);
      const int count = all[0].groups().count;
      EXPECT_THAT(times_covered(groups, all, kept_of), ::testing::Each(count));
      for (const BucketPlan& plan : all) {
        EXPECT_EQ(plan.groups().size * count, ranks());
        for (std::size_t b = 0; b < plan.buckets().size(); ++b) {
          const PlannedBucket& bucket = plan.bucket(b);
          EXPECT_EQ(bucket.bounds, all[0].bucket(b).bounds);
          const auto place = static_cast<std::size_t>(plan.groups().place_of(plan.rank()));
          EXPECT_EQ(bucket.kept.begin - bucket.range.begin, bucket.bounds[place]);
          EXPECT_EQ(bucket.kept.end - bucket.range.begin, bucket.bounds[place + 1]);
        }
      }
    }
  }
}

// What is saved is the layout once, where the arrays of the state have it.
TEST_P(BucketPlanOverRanks, AllRanksAnswerForTheLayoutOnce) {
  for (const Groups& groups : {kOneBlockEach, kUneven, kOneGroup}) {
    for (const Way& way : ways()) {
      const auto all = plans(groups, way);
      EXPECT_THAT(times_covered(groups, all, own_of), ::testing::Each(1));
      for (const BucketPlan& plan : all) {
        std::int64_t elements = 0;
        for (const FlatShard::Part& own : plan.own_shard().parts) {
          elements += own.range.elements();
          const auto& kept = plan.state_shard().parts;
          const auto around = std::ranges::find_if(kept, [&](const FlatShard::Part& part) {
            return part.range.begin <= own.range.begin && own.range.end <= part.range.end;
          });
          ASSERT_NE(around, kept.end());
          EXPECT_EQ(own.offset - around->offset, own.range.begin - around->range.begin);
        }
        EXPECT_EQ(elements, plan.own_elements());
      }
    }
  }
}

TEST_P(BucketPlanOverRanks, ReplicasCutWhatTheyKeep) {
  for (const Way& way : ways()) {
    for (const BucketPlan& plan : plans(kUneven, way)) {
      std::int64_t kept = 0, own = 0;
      for (const PlannedBucket& bucket : plan.buckets()) {
        EXPECT_EQ(bucket.kept_at, kept);
        EXPECT_EQ(bucket.own_at, own);
        kept += bucket.kept.elements();
        own += bucket.own.elements();
        const auto replica = static_cast<std::size_t>(plan.groups().group_of(plan.rank()));
        EXPECT_EQ(bucket.own.begin - bucket.kept.begin, bucket.replica_bounds[replica]);
        EXPECT_EQ(bucket.own.end - bucket.kept.begin, bucket.replica_bounds[replica + 1]);
        EXPECT_EQ(bucket.replica_bounds.back(), bucket.kept.elements());
      }
      EXPECT_EQ(kept, plan.state_shard().elements());
    }
  }
}

TEST_P(BucketPlanOverRanks, AllRanksSayTheSameOfTheState) {
  for (const Groups& groups : {kOneBlockEach, kUneven, kOneGroup}) {
    for (const Way& way : ways()) {
      for (const BucketPlan& plan : plans(groups, way)) {
        EXPECT_EQ(plan.state_is_whole(),
                  way.stage == ZeroStage::kNone || ranks() == 1 || way.shard_ranks == 1)
            << "stage " << static_cast<int>(way.stage) << " within " << way.shard_ranks;
        if (plan.state_is_whole()) {
          EXPECT_EQ(plan.state_shard().elements(), plan.layout().size());
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, BucketPlanOverRanks, ::testing::Values(1, 2, 3, 4, 6, 8));

// The layout for which ranks once disagreed: the last one owns everything, the others nothing.
TEST(BucketPlan, BlocksThatCannotBeSharedBelongToTheLastRank) {
  const auto plans = plans_of(kOneBlockEach, ZeroStage::kGradients, 4);
  EXPECT_EQ(plans[3].state_shard().elements(), plans[3].layout().size());
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(plans[std::size_t(rank)].state_shard().elements(), 0);
  }
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
