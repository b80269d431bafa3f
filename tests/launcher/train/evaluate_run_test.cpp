// Runs that judge samples of their moving average now and then.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/json/json_text.h"
#include "launcher/evaluate/feature_set.h"
#include "launcher/train/planned_step.h"
#include "tests/support/message_of.h"
#include "tests/support/places.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

class JudgedRun : public testing::Test {
 protected:
  // Small latents: covariances of 256 numbers.
  JudgedRun() { write_tiny_data(directory_ / "set", {.height = 8, .width = 8}); }
  TrainConfig config(const std::string& name) const {
    TrainConfig config = tiny_config(directory_ / "set", directory_ / name);
    config.model.image_size = 64;
    config.run.evaluate_every = 2;
    config.run.evaluate_samples = 9;
    config.run.evaluate_steps = 2;
    return config;
  }
  std::vector<nlohmann::json> metrics(const std::string& name) const {
    return metrics_of(directory_ / name);
  }

  TempDir directory_;
};

TEST_F(JudgedRun, HasTheFiguresOfItsSamples) {
  ASSERT_EQ(run(config("run")), kDone);
  TrainConfig plain = config("plain");
  plain.run.evaluate_every = 0;
  ASSERT_EQ(run(plain), kDone);
  EXPECT_EQ(contents(directory_ / "run"), contents(directory_ / "plain"));
  TrainConfig parts = config("parts");
  for (const std::int64_t steps : {3, 6}) {
    parts.train.steps = steps;
    ASSERT_EQ(run(parts), kDone);
  }
  const auto lines = metrics("run"), resumed = metrics("parts");
  ASSERT_EQ(lines.size(), 6u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ASSERT_EQ(lines[i].contains("latent_frechet"), i % 2 == 1) << i;
    EXPECT_FALSE(lines[i].contains("fid"));
    if (i % 2 == 0) continue;
    EXPECT_GT(lines[i]["latent_frechet"].get<double>(), 0);
    for (const char* figure : {"latent_frechet", "precision", "recall", "latent_coverage"}) {
      ASSERT_TRUE(lines[i].contains(figure)) << figure;
      EXPECT_EQ(lines[i][figure], resumed[i][figure]) << figure << i;
    }
    EXPECT_GT(lines[i]["time_share"]["evaluation"].get<double>(), 0);
  }
  EXPECT_NE(lines[1]["latent_frechet"], lines[5]["latent_frechet"]);
}

TEST_F(JudgedRun, KeepsToItsShareOfTheTime) {
  TrainConfig bounded = config("run");
  bounded.run.evaluate_every = 1;
  bounded.run.evaluate_share = 1e-9;  // the first one is free
  ASSERT_EQ(run(bounded), kDone);
  const auto lines = metrics("run");
  EXPECT_TRUE(lines[0].contains("latent_frechet"));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    EXPECT_FALSE(lines[i].contains("latent_frechet")) << i;
  }
  const std::string log = read_text(directory_ / "run/logs/rank-00000.log");
  EXPECT_THAT(log, HasSubstr("step 1: latent_frechet "));
  EXPECT_THAT(log, HasSubstr("evaluation has taken "));
  EXPECT_THAT(log, HasSubstr("step 2: no evaluation: they have taken "));
  EXPECT_THAT(log, HasSubstr("of the time, run.evaluate-share is 1e-09"));
}

// Weights beyond all measure: the log says so, and the step is on record without figures.
TEST_F(JudgedRun, SamplesThatAreNotFiniteHaveNoFigures) {
  TrainConfig wild = config("run");
  wild.train.steps = wild.run.evaluate_every = 1;
  wild.optimizer.rate.initial = 1e38;
  wild.optimizer.ema_decay = 0;
  ASSERT_EQ(run(wild), kDone);
  const auto lines = metrics("run");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_FALSE(lines[0].contains("latent_frechet"));
  EXPECT_THAT(read_text(directory_ / "run/logs/rank-00000.log"),
              HasSubstr("latents of 9 of 9 samples are not finite: they are not judged"));
}

TEST_F(JudgedRun, WhatCannotBeComparedIsRefusedAtTheStart) {
  TrainConfig half = config("run");
  half.run.evaluate_inception = directory_ / "inception";
  EXPECT_THAT(message_of<UsageError>([&] { half.validate(); }),
              HasSubstr("run.evaluate-inception is "));
  half.run.evaluate_inception.clear();
  half.run.evaluate_reference = directory_ / "ref.h5";
  EXPECT_THAT(message_of<UsageError>([&] { half.validate(); }),
              HasSubstr("run.evaluate-inception is not given"));
  TrainConfig blind = config("run");
  blind.run.memory_check = false;
  blind.run.evaluate_inception = directory_ / "inception";
  blind.run.evaluate_reference = in_sources("tests/golden/evaluation/reference_adm.npz");
  EXPECT_THAT(message_of<UsageError>([&] { run(blind); }),
              HasSubstr("the data set has no decoder: run.sample-vae names one"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "run"));
}

// The lowest of what is asked for stays, beside the two newest.
TEST_F(JudgedRun, KeepsTheBestByWhatItIsJudgedBy) {
  for (const BestBy by : {BestBy::kHeldOut, BestBy::kEvaluation}) {
    TrainConfig kept = config(by == BestBy::kHeldOut ? "held" : "judged");
    kept.data.holdout = 0.3;
    kept.run.holdout_every = kept.run.evaluate_every = kept.run.checkpoint_every = 1;
    kept.run.holdout_samples = 8;
    kept.run.keep_checkpoints = 2;
    kept.run.keep_best = 1;
    kept.run.keep_best_by = by;
    kept.run.wait_for_checkpoint = true;
    kept.optimizer.rate.initial = 0.05;  // too high: the last ones are not the best
    kept.validate();
    ASSERT_EQ(run(kept), kDone);
    const std::string name = by == BestBy::kHeldOut ? "held_out_loss" : "latent_frechet";
    std::vector<double> figures;
    for (const auto& line : metrics(kept.run.directory.filename())) figures.push_back(line[name]);
    ASSERT_EQ(figures.size(), 6u);
    const auto best = std::ranges::min_element(figures) - figures.begin() + 1;
    std::set<std::int64_t> expected{5, 6, best}, found;
    for (const auto& entry :
         std::filesystem::directory_iterator(kept.run.directory / "checkpoints")) {
      if (!entry.path().filename().string().starts_with("step-")) continue;
      const CheckpointInfo info = Checkpoint::open(entry.path()).info();
      found.insert(info.step);
      EXPECT_EQ(info.judged.at(name), figures[static_cast<std::size_t>(info.step - 1)]);
    }
    EXPECT_EQ(found, expected) << name;
  }
  TrainConfig rare = config("rare");
  rare.run.keep_best_by = BestBy::kEvaluation;
  rare.run.checkpoint_every = 5;
  EXPECT_THAT(
      message_of<UsageError>([&] { rare.validate(); }),
      HasSubstr("run.keep-best-by is evaluation: run.checkpoint-every 5 has to be a multiple "
                "of run.evaluate-every, which is 2"));
}

TEST_F(JudgedRun, ItsMemoryIsPlanned) {
  TrainConfig judged = config("run"), plain = judged;
  plain.run.evaluate_every = 0;
  const ModelConfig model = judged.model.resolve(5);
  EXPECT_EQ(planned_step(plain, model).sample_bytes, 0u);
  EXPECT_GT(planned_step(judged, model).sample_bytes, 0u);
}

}  // namespace
}  // namespace edt::test
