// Runs that keep samples out of training and take their loss.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/json/json_text.h"
#include "data/holdout.h"
#include "launcher/train/planned_step.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

class HeldOutRun : public testing::Test {
 protected:
  HeldOutRun() { write_tiny_data(directory_ / "set"); }
  TrainConfig config(const std::string& name) const {
    TrainConfig config = tiny_config(directory_ / "set", directory_ / name);
    config.data.holdout = 0.25;
    config.run.holdout_every = 2;
    config.run.holdout_samples = 16;
    return config;
  }
  std::vector<nlohmann::json> metrics(const std::string& name) const {
    return metrics_of(directory_ / name);
  }

  TempDir directory_;
};

TEST_F(HeldOutRun, TakesTheLossOfItsSamplesNowAndThen) {
  ASSERT_EQ(run(config("run")), kDone);
  const auto lines = metrics("run");
  ASSERT_EQ(lines.size(), 6u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ASSERT_EQ(lines[i].contains("held_out_loss"), i % 2 == 1) << i;
    if (i % 2 == 0) continue;
    const double held = lines[i]["held_out_loss"], trained = lines[i]["held_out_trained_loss"];
    EXPECT_DOUBLE_EQ(lines[i]["held_out_gap"].get<double>(), held / trained - 1);
    ASSERT_EQ(lines[i]["held_out_by_time"].size(), 8u);
    EXPECT_GT(lines[i]["time_share"]["evaluation"].get<double>(), 0);
    EXPECT_TRUE(i == 1 || held != lines[i - 2]["held_out_loss"].get<double>());
  }
  // An epoch is over when all samples have been seen that may be.
  const data::Holdout holdout(0.25, 5, 48);
  const double epoch = 48.0 / static_cast<double>(48 - holdout.held().size());
  EXPECT_GT(epoch, 1);
  EXPECT_DOUBLE_EQ(lines.back()["epoch"].get<double>(), epoch);
}

TEST_F(HeldOutRun, GoesOnWithTheSameSamplesAndLosses) {
  ASSERT_EQ(run(config("whole")), kDone);
  TrainConfig parts = config("parts");
  for (const std::int64_t steps : {3, 6}) {
    parts.train.steps = steps;
    ASSERT_EQ(run(parts), kDone);
  }
  EXPECT_EQ(contents(directory_ / "whole"), contents(directory_ / "parts"));
  const auto whole = metrics("whole"), resumed = metrics("parts");
  for (const std::size_t i : {1, 3, 5}) {
    EXPECT_EQ(whole[i]["held_out_by_time"], resumed[i]["held_out_by_time"]) << i;
    EXPECT_EQ(whole[i]["held_out_trained_by_time"], resumed[i]["held_out_trained_by_time"]) << i;
  }
}

TEST_F(HeldOutRun, LearnsNothingFromBeingLookedAt) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    TrainConfig looked = config("looked" + std::string(name_of(dtype)));
    looked.run.dtype = dtype;
    ASSERT_EQ(run(looked), kDone);
    TrainConfig not_looked = looked;
    not_looked.run.directory = directory_ / ("not-" + std::string(name_of(dtype)));
    not_looked.run.holdout_every = 0;
    ASSERT_EQ(run(not_looked), kDone);
    EXPECT_EQ(contents(looked.run.directory), contents(not_looked.run.directory));
  }
}

TEST_F(HeldOutRun, AnotherShareIsAnotherCurve) {
  ASSERT_EQ(run(config("run")), kDone);
  TrainConfig other = config("run");
  other.data.holdout = 0.1;
  other.train.steps = 8;
  EXPECT_THAT(message_of<CheckpointError>([&] { run(other); }),
              HasSubstr("goes on with what changes its curve: data.holdout 0.25 -> 0.1"));
  other.run.accept_changes = true;
  EXPECT_EQ(run(other), kDone);
  EXPECT_THAT(metrics("run")[6]["changed"].get<std::string>(),
              HasSubstr("data.holdout 0.25 -> 0.1"));
}

TEST_F(HeldOutRun, WithoutSamplesOfItsOwnIsRefused) {
  TrainConfig none = config("run");
  none.data.holdout = 0;
  EXPECT_THAT(message_of<UsageError>([&] { none.validate(); }),
              HasSubstr("run.holdout-every is 2, and data.holdout, 0, keeps no samples"));
  TrainConfig few = config("run");
  few.data.holdout = 1e-4;
  EXPECT_THAT(message_of<DataError>([&] { run(few); }),
              HasSubstr("data.holdout 0.0001 keeps 0 of 48 samples"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "run"));
}

TEST_F(HeldOutRun, ItsMemoryIsPlanned) {
  TrainConfig judged = config("run"), plain = judged;
  plain.run.holdout_every = 0;
  const ModelConfig model = judged.model.resolve(5);
  EXPECT_EQ(planned_step(plain, model).evaluation_bytes, 0u);
  EXPECT_GT(planned_step(judged, model).evaluation_bytes, 0u);
}

}  // namespace
}  // namespace edt::test
