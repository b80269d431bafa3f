// Training runs over MPI ranks: the same bits as one rank, checkpoints that any ranks go on from,
// and refusals before the first step. Every test is called by all ranks; the first one judges.
#include <gmock/gmock-matchers.h>

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/durable_file.h"
#include "parallel/checkpoint/compare.h"
#include "parallel/comm/self/self_communicator.h"
#include "parallel/sharding/shard_groups.h"
#include "tests/support/message_of.h"
#include "tests/support/mpi_world.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt {
namespace {

using test::contents;
using testing::HasSubstr;

class TrainOnRanks : public testing::Test {
 protected:
  TrainOnRanks() {
    if (world_.is_root()) {
      directory_ = std::make_unique<test::TempDir>();
      test::write_tiny_data(*directory_ / "data");
    }
    root_ = world_.broadcast(directory_ ? directory_->path().string() : "", 0, "test directory");
  }
  ~TrainOnRanks() override { world_.barrier("end of the test"); }

  std::filesystem::path path(const std::string& name) const { return root_ / name; }
  TrainConfig config(const std::string& run, int stage = 1) const {
    TrainConfig config = test::tiny_config(path("data"), path(run));
    config.model.sizes.heads = {2, 2, 4, 2, 2};
    config.model.sizes.widths = {16, 24, 32, 24, 16};
    cut_finely(config);
    config.parallel.zero = static_cast<ZeroStage>(stage);
    return config;
  }
  // Micro-batches of one image, as many as these ranks share: eight, or twelve.
  void cut_finely(TrainConfig& config) const {
    config.train.micro_batch = 1;
    if (world_.size() % 3 == 0) config.train.batch = 12;
  }
  // Whether two tensor ranks can hold a model together.
  bool has_pairs() const { return world_.size() % 2 == 0; }
  void run(const TrainConfig& config) { test::run(config, world_); }
  // The same training by the first rank alone.
  void run_alone(const TrainConfig& config) {
    if (world_.is_root()) test::run(config);
    world_.barrier("reference");
  }
  // The first difference between two runs, seen by the first rank; empty elsewhere.
  std::string difference(const std::string& a, const std::string& b) const {
    if (!world_.is_root()) return {};
    return compare(find_checkpoint(path(a)), find_checkpoint(path(b))).difference;
  }
  template <class E>
  std::string refusal(const TrainConfig& config) {
    return test::message_of<E>([&] { run(config); });
  }

  Communicator& world_ = test::mpi_world();
  std::unique_ptr<test::TempDir> directory_;
  std::filesystem::path root_;
};

TEST_F(TrainOnRanks, SameBitsAsOneRankInEveryStage) {
  run_alone(config("one"));
  for (int stage = 0; stage < 4; ++stage) {
    for (const bool overlap : {false, true}) {
      const std::string name = fmt::format("stage{}-{}", stage, overlap);
      TrainConfig many = config(name, stage);
      many.parallel.overlap = overlap;
      run(many);
      EXPECT_EQ(difference("one", name), "") << name;
    }
  }
}

TEST_F(TrainOnRanks, SameBitsAsOneRankOnSharedWeights) {
  run_alone(config("one"));
  for (const int stage : {1, 2}) {
    const std::string name = fmt::format("shared{}", stage);
    TrainConfig shared = config(name, stage);
    shared.parallel.share_weights = true;
    run(shared);
    EXPECT_EQ(difference("one", name), "") << name;
  }
}

TEST_F(TrainOnRanks, SameBitsAsOneRankWithinGroups) {
  std::vector<int> sizes = shard_group_sizes(world_.size());
  sizes.pop_back();  // all of them: above
  if (sizes.empty()) GTEST_SKIP() << "one group";
  run_alone(config("one"));
  for (const int size : sizes) {
    for (int stage = 1; stage < 4; ++stage) {
      const std::string name = fmt::format("stage{}within{}", stage, size);
      TrainConfig grouped = config(name, stage);
      grouped.parallel.shard_ranks = size;
      run(grouped);
      EXPECT_EQ(difference("one", name), "") << name;
    }
  }
  // What groups save goes on in other groups, and on one rank.
  for (const auto& [steps, stage, size] : {std::tuple{2, 3, sizes.back()}, {4, 1, 0}}) {
    TrainConfig part = config("resumed", stage);
    part.train.steps = steps;
    part.parallel.shard_ranks = size;
    run(part);
  }
  TrainConfig last = config("resumed", 2);
  last.parallel.shard_ranks = sizes.front();
  run(last);
  EXPECT_EQ(difference("one", "resumed"), "");
  if (world_.is_root()) {
    EXPECT_THAT(find_checkpoint(path("resumed")).info().mesh,
                HasSubstr(fmt::format("zero 2 within {} ranks", sizes.front())));
  }
}

// Not the same bits, the same training: weights after six steps are within what rounding a gradient
// to 8 bits moves a step of Adan, a few hundredths of the largest weight's way.
TEST_F(TrainOnRanks, GradientsMayTravelRounded) {
  run_alone(config("one"));
  const auto expected =
      world_.is_root() ? contents(path("one")) : decltype(contents(path("one"))){};
  for (const Wire wire : {Wire::kBFloat16, Wire::kInt8}) {
    for (const bool feedback : {false, true}) {
      for (int stage = 0; stage < 4; stage += 2) {
        const std::string name =
            fmt::format("wire{}-{}-{}", static_cast<int>(wire), feedback, stage);
        TrainConfig rounded = config(name, stage);
        rounded.parallel.reduce_dtype = wire;
        rounded.parallel.error_feedback = feedback;
        run(rounded);
        if (!world_.is_root()) continue;
        EXPECT_NE(difference("one", name), "") << "nothing was rounded";
        const auto found = contents(path(name));
        double off = 0, moved = 0;
        for (const auto& [tensor, values] : expected) {
          if (!tensor.starts_with("master:")) continue;
          for (std::size_t i = 0; i < values.size(); ++i) {
            off += std::pow(values[i] - found.at(tensor)[i], 2);
            moved += std::pow(values[i], 2);
          }
        }
        EXPECT_LT(std::sqrt(off / moved), 0.02) << name;
      }
    }
  }
}

// Of all steps that have the first of these, as text: every digit counts.
std::vector<std::string> judgements(const std::filesystem::path& run,
                                    const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const nlohmann::json& json : test::metrics_of(run)) {
    if (!json.contains(names.front())) continue;
    std::string all;
    for (const std::string& name : names) all += dump_json(json.at(name)) + " ";
    found.push_back(all);
  }
  return found;
}

TEST_F(TrainOnRanks, WhatAModelIsJudgedByHasTheSameBits) {
  const std::vector<std::string> losses{"held_out_loss", "held_out_by_time",
                                        "held_out_trained_by_time"};
  const std::vector<std::string> figures{"latent_frechet", "precision", "recall", "latent_density"};
  const auto judged = [&](const std::string& run, int stage) {
    TrainConfig options = config(run, stage);
    options.data.holdout = 0.2;
    options.run.holdout_every = 2;
    options.run.holdout_samples = 17;  // 24 of each kind, one at a time
    options.run.evaluate_every = stage % 2 == 1 ? 6 : 0;
    options.run.evaluate_samples = 18;  // of 4 ranks one has none in the first round
    options.run.evaluate_steps = 2;
    return options;
  };
  TrainConfig unjudged = judged("unjudged", 0);
  unjudged.run.holdout_every = 0;
  run_alone(unjudged);
  run_alone(judged("one", 1));
  EXPECT_EQ(difference("unjudged", "one"), "");  // who is looked at learns nothing else
  for (int stage = 0; stage < 4; ++stage) {
    const std::string name = fmt::format("stage{}", stage);
    run(judged(name, stage));
    EXPECT_EQ(difference("one", name), "") << name;
    if (!world_.is_root()) continue;
    const auto expected = judgements(path("one"), losses);
    ASSERT_EQ(expected.size(), 3u);
    EXPECT_EQ(judgements(path(name), losses), expected) << name;
    const auto of_samples = judgements(path("one"), figures);
    ASSERT_EQ(of_samples.size(), 1u);
    if (stage % 2 == 1) {
      EXPECT_EQ(judgements(path(name), figures), of_samples) << name;
    }
  }
}

TEST_F(TrainOnRanks, BaselinesToo) {
  for (const std::string kind : {"MDTv2", "DiT"}) {
    const auto baseline = [&](const std::string& run, int stage) {
      TrainConfig config = test::tiny_config(path("data"), path(kind + run), kind);
      cut_finely(config);
      config.train.steps = 3;
      config.parallel.zero = static_cast<ZeroStage>(stage);
      return config;
    };
    run_alone(baseline("one", 1));
    for (const int stage : {1, 3}) {
      const std::string name = fmt::format("stage{}", stage);
      run(baseline(name, stage));
      EXPECT_EQ(difference(kind + "one", kind + name), "") << kind << name;
    }
    if (!has_pairs()) continue;
    TrainConfig cut = baseline("cut", 2);
    cut.parallel.tensor = 2;
    run(cut);
    if (!world_.is_root()) continue;
    const auto expected = contents(path(kind + "one")), found = contents(path(kind + "cut"));
    for (const auto& [name, values] : expected) {
      if (!name.starts_with("master:")) continue;
      for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_NEAR(found.at(name)[i], values[i], 2e-3) << name << i;
    }
  }
}

// The tree follows from the micro-batches, so also ranks with another odd part have these bits. 12
// micro-batches are three runs of four: of two ranks each takes part in three turns.
TEST_F(TrainOnRanks, OtherOddPartsHaveTheSameBits) {
  if (world_.size() != 6) GTEST_SKIP() << "of 6 ranks";
  run_alone(config("one"));
  for (const int few : {2, 3}) {
    const auto part = world_.split(world_.rank() < few ? 0 : 1, world_.rank(), "some ranks");
    for (int stage = 0; stage < 4; ++stage) {
      const std::string name = fmt::format("{}ranks{}", few, stage);
      if (world_.rank() < few) test::run(config(name, stage), *part);
      world_.barrier("some ranks have trained");
      EXPECT_EQ(difference("one", name), "") << name;
    }
  }
}

// Another number of micro-batches is another sum: the run goes on, and says so once.
TEST_F(TrainOnRanks, AnotherSumOfGradientsIsNamed) {
  TrainConfig first = config("resumed");
  first.train.steps = 2;
  run(first);
  TrainConfig second = config("resumed");
  second.train.micro_batch = world_.size() % 3 == 0 ? 2 : 4;
  second.train.micro_batch = std::min(second.train.micro_batch, second.train.batch / world_.size());
  if (second.train.micro_batch == 1) GTEST_SKIP() << "no other micro-batch for these ranks";
  run(second);
  if (!world_.is_root()) return;
  std::vector<std::string> said;
  for (const nlohmann::json& json : test::metrics_of(path("resumed"))) {
    if (json.contains("changed")) said.push_back(json["changed"]);
  }
  ASSERT_EQ(said.size(), 1u);
  EXPECT_THAT(said.front(),
              AllOf(HasSubstr("sum of gradients "), HasSubstr("micro-batches of 1 -> "),
                    HasSubstr("(outside the promise of equal bits)")));
}

TEST_F(TrainOnRanks, OtherRanksAndStagesGoOnFromACheckpoint) {
  run_alone(config("one"));
  TrainConfig first = config("resumed", 3);
  first.train.steps = 2;
  run(first);
  TrainConfig second = config("resumed", 0);
  second.train.steps = 4;
  run_alone(second);
  run(config("resumed", 2));
  EXPECT_EQ(difference("one", "resumed"), "");
}

// Sums over tensor ranks are in another order than those of one rank: the same curve, not the same
// bits. 1e-3 of the loss after six steps: rounding differences of 1e-7 grow through training.
TEST_F(TrainOnRanks, TensorRanksFollowTheCurveOfOneRank) {
  if (!has_pairs()) GTEST_SKIP() << "needs pairs of ranks";
  run_alone(config("one"));
  TrainConfig cut = config("cut", 1);
  cut.parallel.tensor = 2;
  run(cut);
  if (world_.is_root()) {
    const auto expected = contents(path("one")), found = contents(path("cut"));
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, values] : expected) {
      double largest = 0, off = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        largest = std::max(largest, std::fabs(values[i]));
        off = std::max(off, std::fabs(values[i] - found.at(name)[i]));
      }
      if (!name.starts_with("master:")) continue;
      EXPECT_LE(off, 2e-3 * largest + 1e-5) << name;
    }
  }
}

TEST_F(TrainOnRanks, TensorRanksGiveTheSameBitsForEveryNumberOfDataRanks) {
  if (world_.size() < 4 || !has_pairs()) GTEST_SKIP() << "needs pairs of ranks";
  const auto half = world_.split(world_.rank() / 2, world_.rank(), "two ranks");
  TrainConfig few = config("tp2dp1", 2);
  few.parallel.tensor = 2;
  if (world_.rank() < 2) test::run(few, *half);
  world_.barrier("reference");
  TrainConfig many = config("tp2dp2", 2);
  many.parallel.tensor = 2;
  run(many);
  EXPECT_EQ(difference("tp2dp1", "tp2dp2"), "");
}

TEST_F(TrainOnRanks, WhatDoesNotFitIsRefusedOnAllRanks) {
  TrainConfig few = config("few");
  few.train.micro_batch = few.train.batch;  // one of them
  EXPECT_THAT(refusal<UsageError>(few), HasSubstr("micro-batch"));
  TrainConfig three = config("three");
  three.parallel.tensor = 3;
  EXPECT_THAT(refusal<UsageError>(three), HasSubstr("3"));
  TrainConfig groups = config("groups");
  groups.parallel.shard_ranks = 5;
  EXPECT_THAT(refusal<UsageError>(groups), HasSubstr("parallel.shard-ranks is 5, "));
  TrainConfig other = config("other");
  other.train.seed = static_cast<std::uint64_t>(world_.rank());
  EXPECT_THAT(refusal<UsageError>(other),
              AllOf(HasSubstr("ranks differ"), HasSubstr("[train] seed = 1"),
                    HasSubstr("[train] seed = 0")));
  TrainConfig data = config("data-differs");
  if (world_.rank() == 1) {
    test::write_tiny_data(path("other-data"), 40);
    data.data.path = path("other-data");
  }
  EXPECT_THAT(refusal<UsageError>(data), HasSubstr("ranks differ"));
  EXPECT_FALSE(std::filesystem::exists(path("few")));
}

}  // namespace
}  // namespace edt
