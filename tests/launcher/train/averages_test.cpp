// Power-function averages of a run: kept, gone on with, and made into others.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/safetensors.h"
#include "parallel/checkpoint/averages.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

class Averages : public testing::Test {
 protected:
  Averages() { write_tiny_data(directory_ / "set"); }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  TrainConfig config(const std::string& name) const {
    TrainConfig config = tiny_config(directory_ / "set", directory_ / name);
    config.optimizer.power_averages = {0.05, 0.1};
    config.run.snapshot_every = 1;
    return config;
  }
  std::vector<std::int64_t> snapshots(const std::string& name) const {
    std::vector<std::int64_t> steps;
    for (const auto& entry : CheckpointStore(directory_ / name / "averages").entries()) {
      EXPECT_TRUE(entry.complete);
      steps.push_back(entry.step);
    }
    return steps;
  }
  // Of both runs; empty where they are the same.
  std::map<std::string, std::vector<double>> made(const std::string& run, const std::string& out) {
    const Outcome outcome =
        edt_command({"ckpt", "ema", path(run), "--length", "0.15", "--out", path(out)});
    EXPECT_EQ(outcome.status, kDone) << outcome.error;
    return contents(directory_ / out);
  }

  TempDir directory_;
};

TEST_F(Averages, AreKeptAndChangeNothingElse) {
  ASSERT_EQ(run(config("with")), kDone);
  TrainConfig without = config("without");
  without.optimizer.power_averages.clear();
  without.run.snapshot_every = 0;
  ASSERT_EQ(run(without), kDone);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "without" / "averages"));
  EXPECT_THAT(snapshots("with"), testing::ElementsAre(6, 5, 4, 3, 2, 1));
  const auto all = contents(directory_ / "with"), plain = contents(directory_ / "without");
  for (const auto& [name, values] : plain) EXPECT_EQ(all.at(name), values) << name;
  EXPECT_GT(all.size(), plain.size());
  const std::string weight = "blocks.0.attn.qkv.weight";
  EXPECT_NE(all.at("average.0.05:" + weight), all.at("average.0.1:" + weight));
}

TEST_F(Averages, HaveTheSameBitsAfterInterruptions) {
  ASSERT_EQ(run(config("whole")), kDone);
  TrainConfig parts = config("parts");
  for (const std::int64_t steps : {2, 3, 6}) {
    parts.train.steps = steps;
    ASSERT_EQ(run(parts), kDone);
  }
  EXPECT_EQ(contents(directory_ / "whole"), contents(directory_ / "parts"));
  EXPECT_EQ(snapshots("whole"), snapshots("parts"));
  EXPECT_EQ(made("whole", "from-whole"), made("parts", "from-parts"));
}

// A run that lost its last checkpoints takes those steps again, and their snapshots with them.
TEST_F(Averages, OfStepsThatComeAgainAreRemoved) {
  TrainConfig saved = config("run");
  saved.run.checkpoint_every = 2;
  ASSERT_EQ(run(saved), kDone);
  const CheckpointStore checkpoints(directory_ / "run" / "checkpoints");
  std::filesystem::remove_all(checkpoints.path_of(6));
  saved.train.steps = 5;
  saved.run.snapshot_every = 3;
  ASSERT_EQ(run(saved), kDone);
  EXPECT_THAT(snapshots("run"), testing::ElementsAre(4, 3, 2, 1));
}

TEST_F(Averages, OfAnyLengthsAreMadeAndSampled) {
  ASSERT_EQ(run(config("run")), kDone);
  const Outcome outcome = edt_command(
      {"ckpt", "ema", path("run"), "--length", "0.15,0.05", "--out", path("made"), "--json"});
  ASSERT_EQ(outcome.status, kDone) << outcome.error;
  const auto json = parse_json(outcome.out, "output");
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["length"], 0.05);
  EXPECT_LT(json[0]["error"].get<double>(), 1e-3);
  // The one that was kept comes back: from the checkpoint, in float32.
  const auto kept = contents(directory_ / "run"), back = contents(directory_ / "made" / "0.05");
  for (const auto& [name, values] : back) {
    const auto& stored = kept.at("average.0.05" + name.substr(3));
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], stored[i], 2e-4) << name;
  }
  EXPECT_NE(back, contents(directory_ / "made" / "0.15"));
  EXPECT_EQ(edt_command({"sample", path("made/0.15"), "--classes", "1", "--steps", "2", "--latents",
                         path("x.h5")})
                .status,
            kDone);
  const Outcome exported =
      edt_command({"ckpt", "export", path("made/0.15"), "--out", path("x.safetensors")});
  EXPECT_EQ(exported.status, kDone) << exported.error;
}

TEST_F(Averages, BadInputIsOneLine) {
  TrainConfig without = config("run");
  without.optimizer.power_averages.clear();
  EXPECT_THAT(message_of<UsageError>([&] { without.validate(); }),
              HasSubstr("run.snapshot-every is 1, and optimizer.power-averages names no average"));
  TrainConfig twice = config("run");
  twice.optimizer.power_averages = {0.1, 0.1};
  EXPECT_THAT(message_of<UsageError>([&] { twice.validate(); }), HasSubstr("names 0.1 twice"));
  without.run.snapshot_every = 0;
  ASSERT_EQ(run(without), kDone);
  // Nothing was kept, and nothing can be begun in the middle.
  const auto ema = [&](std::vector<std::string> more) {
    std::vector<std::string> args{"ckpt", "ema", path("run")};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome outcome = edt_command(args);
    EXPECT_EQ(outcome.status, kWrongUsage);
    return outcome.error;
  };
  EXPECT_THAT(ema({"--length", "0.1", "--out", path("out")}),
              HasSubstr("has no power-function averages"));
  EXPECT_THAT(ema({"--length", "0.5", "--out", path("out")}), HasSubstr("0.5"));
  EXPECT_THAT(ema({"--length", "0.1", "--out", path("set")}), HasSubstr("is not empty"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out"));
  TrainConfig late = config("run");
  late.train.steps = 8;
  EXPECT_THAT(message_of<CheckpointError>([&] { run(late); }), HasSubstr("has no average.0.05"));
}

}  // namespace
}  // namespace edt::test
