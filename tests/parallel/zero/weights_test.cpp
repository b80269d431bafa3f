#include "parallel/zero/weights.h"

#include <gtest/gtest.h>

#include "tests/parallel/zero/fixture.h"

namespace edt::test {
namespace {

struct WeightsCase {
  int ranks;
  ZeroStage stage;
  DType dtype;
  bool overlap;
};

std::vector<WeightsCase> weights_cases() {
  std::vector<WeightsCase> all;
  for (const int ranks : {1, 2, 3, 4, 8}) {
    for (const auto stage :
         {ZeroStage::kNone, ZeroStage::kOptimizer, ZeroStage::kGradients, ZeroStage::kWeights}) {
      for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
        all.push_back({ranks, stage, dtype, ranks % 2 == 0});
      }
    }
  }
  return all;
}

std::string name_of_case(const ::testing::TestParamInfo<WeightsCase>& info) {
  const WeightsCase& one = info.param;
  return fmt::format("{}Ranks{}{}", one.ranks, static_cast<int>(one.stage),
                     one.dtype == DType::kFloat32 ? "Float32" : "BFloat16");
}

std::unique_ptr<Weights> make_weights(const Rank& rank, const FlatState& state, DType dtype) {
  return rank.config.stage < ZeroStage::kWeights
             ? make_whole_weights(rank.context, {state.master()}, dtype)
             : make_gathered_weights(rank.context, {state.master()}, dtype);
}

// This rank's master weights become `values`, as an optimizer writes them.
void write_master(const Rank& rank, const FlatState& state, Weights& weights,
                  std::span<const float> values) {
  std::ranges::copy(packed(values, rank.plan.state_shard()), state.master().begin());
  for (std::size_t b = 0; b < rank.buckets(); ++b) {
    const PlannedBucket& bucket = rank.plan.bucket(b);
    const std::span<bfloat16> working = weights.working(b);
    const auto kept = part(values, bucket.kept.begin, bucket.kept.elements());
    for (std::size_t i = 0; i < working.size(); ++i) working[i] = bfloat16(kept[i]);
    weights.changed(b, !working.empty());
  }
}

class WeightsOverRanks : public ::testing::TestWithParam<WeightsCase> {};

// Each rank writes its part of the master weights; kernels of all ranks read all of them.
TEST_P(WeightsOverRanks, FollowTheMasterWeights) {
  const auto [ranks, stage, dtype, overlap] = GetParam();
  for (const Groups& groups : {kOneBlockEach, kUneven, kOneGroup}) {
    run_ranks(ranks, [&, stage = stage, dtype = dtype, overlap = overlap](Communicator& world) {
      Rank rank(groups, world, {.stage = stage, .overlap = overlap, .bucket_elements = 2 * kBlock});
      const FlatState state(*rank.device, rank.plan.state_shard(), {});
      const auto weights = make_weights(rank, state, dtype);
      for (std::uint32_t step = 0; step < 3; ++step) {
        const Values values = random_values(rank.layout(), step);
        write_master(rank, state, *weights, values);
        for (int micro_batch = 0; micro_batch < 2; ++micro_batch) {
          weights->begin_micro_batch();
          for (std::size_t t = 0; t < rank.pointers.size(); ++t) {
            weights->provide(rank.plan.bucket_of(t));
            EXPECT_TRUE(holds(*rank.pointers[t], dtype, rank.layout().tensor(t), values))
                << world.name() << ", step " << step << ", " << rank.pointers[t]->name;
          }
        }
      }
      rank.queue.wait_all();
      const auto entered = static_cast<std::int32_t>(rank.collectives());
      EXPECT_EQ(world.all_reduce_value(entered, Reduce::kMax, "most"), entered);
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, WeightsOverRanks, ::testing::ValuesIn(weights_cases()),
                         name_of_case);

// Ranks that own nothing, or everything, enter as many collectives as all others.
TEST(WholeWeights, TravelWhateverARankOwns) {
  for (const ZeroStage stage : {ZeroStage::kOptimizer, ZeroStage::kGradients}) {
    run_ranks(4, [&](Communicator& world) {
      Rank rank(kOneBlockEach, world, {.stage = stage, .overlap = false, .bucket_elements = 1});
      const FlatState state(*rank.device, rank.plan.state_shard(), {});
      const auto weights = make_whole_weights(rank.context, {state.master()}, DType::kFloat32);
      write_master(rank, state, *weights, random_values(rank.layout(), 1));
      EXPECT_EQ(rank.collectives(), rank.buckets());
      EXPECT_EQ(weights->arriving(), rank.buckets());
    });
  }
}

TEST(WholeWeights, AreTheMasterWhereEachRankHasThemInFloat32) {
  for (const int ranks : {1, 2}) {
    for (const ZeroStage stage : {ZeroStage::kNone, ZeroStage::kOptimizer}) {
      run_ranks(ranks, [&](Communicator& world) {
        Rank rank(kUneven, world, {.stage = stage});
        const FlatState state(*rank.device, rank.plan.state_shard(), {});
        const auto weights = make_whole_weights(rank.context, {state.master()}, DType::kFloat32);
        const bool alone = stage == ZeroStage::kNone || ranks == 1;
        EXPECT_EQ(weights->bytes_by_category()[0].bytes,
                  alone ? 0 : static_cast<std::size_t>(rank.layout().size()) * sizeof(float));
      });
    }
  }
}

TEST(GatheredWeights, HoldTheNextBlocksOnly) {
  run_ranks(2, [&](Communicator& world) {
    Rank rank(kUneven, world, {.stage = ZeroStage::kWeights, .overlap = false, .prefetch = 1});
    const FlatState state(*rank.device, rank.plan.state_shard(), {});
    const auto weights = make_gathered_weights(rank.context, {state.master()}, DType::kFloat32);
    EXPECT_EQ(weights->bytes_by_category()[0].bytes, 2 * 4 * kBlock * sizeof(float));
    write_master(rank, state, *weights, random_values(rank.layout(), 1));
    weights->begin_micro_batch();
    for (std::size_t b = 0; b < rank.buckets(); ++b) weights->provide(b);
    EXPECT_EQ(rank.collectives(), rank.buckets());
    // Two slots: what was used first is gone, and is no old value.
    EXPECT_EQ(rank.pointers[0]->value.data, nullptr);
    EXPECT_NE(rank.pointers.back()->value.data, nullptr);
  });
}

TEST(GatheredWeights, AreGatheredAheadInTheOrderOfTheLastMicroBatch) {
  run_ranks(2, [&](Communicator& world) {
    Rank rank(kUneven, world, {.stage = ZeroStage::kWeights, .overlap = false, .prefetch = 2});
    const FlatState state(*rank.device, rank.plan.state_shard(), {});
    const auto weights = make_gathered_weights(rank.context, {state.master()}, DType::kFloat32);
    const Values values = random_values(rank.layout(), 1);
    write_master(rank, state, *weights, values);
    weights->begin_micro_batch();
    EXPECT_EQ(rank.collectives(), 0u);  // the order is not known yet
    for (std::size_t b = rank.buckets(); b-- > 0;) weights->provide(b);
    write_master(rank, state, *weights, values);
    const auto before = rank.collectives();
    weights->begin_micro_batch();
    EXPECT_EQ(rank.collectives(), before + 2);
    weights->provide(rank.buckets() - 1);
    EXPECT_EQ(rank.collectives(), before + 3);
  });
}

}  // namespace
}  // namespace edt::test
