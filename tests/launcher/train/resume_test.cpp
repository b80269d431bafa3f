// Resume is exact: N steps equal k steps, an end, and N - k more, in every bit of the state.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/json/json_text.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

struct Case {
  OptimizerKind optimizer;
  TimeSampling timesteps;
  DType dtype;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << (c.optimizer == OptimizerKind::kAdan ? "adan " : "adamw ")
       << (c.timesteps == TimeSampling::kUniform ? "uniform " : "loss-second-moment ")
       << name_of(c.dtype);
}

class Resume : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    data_ = new TempDir;
    write_tiny_data(data_->path() / "set");
  }
  static void TearDownTestSuite() { delete data_; }

  TrainConfig config(const std::string& name) const {
    TrainConfig config = tiny_config(data_->path() / "set", runs_ / name);
    config.optimizer.kind = GetParam().optimizer;
    config.train.times.sampling = GetParam().timesteps;
    config.run.dtype = GetParam().dtype;
    return config;
  }

  static inline TempDir* data_ = nullptr;
  TempDir runs_;
};

TEST_P(Resume, GivesTheSameBits) {
  ASSERT_EQ(run(config("whole")), kDone);
  TrainConfig parts = config("parts");
  for (const std::int64_t steps : {2, 3, 6}) {
    parts.train.steps = steps;
    ASSERT_EQ(run(parts), kDone);
  }
  const auto whole = contents(runs_ / "whole"), resumed = contents(runs_ / "parts");
  ASSERT_EQ(whole.size(), resumed.size());
  for (const auto& [name, values] : whole) EXPECT_EQ(values, resumed.at(name)) << name;
  // The state is not trivially equal: weights move and differ from their average.
  const std::string weight = "blocks.0.attn.qkv.weight";
  EXPECT_NE(whole.at("master:" + weight), whole.at("ema:" + weight));
}

INSTANTIATE_TEST_SUITE_P(
    All, Resume,
    testing::Values(Case{OptimizerKind::kAdan, TimeSampling::kLossSecondMoment, DType::kFloat32},
                    Case{OptimizerKind::kAdan, TimeSampling::kUniform, DType::kFloat32},
                    Case{OptimizerKind::kAdamW, TimeSampling::kLossSecondMoment, DType::kFloat32},
                    Case{OptimizerKind::kAdan, TimeSampling::kLossSecondMoment, DType::kBFloat16},
                    Case{OptimizerKind::kAdamW, TimeSampling::kUniform, DType::kBFloat16}));

class Run : public testing::Test {
 protected:
  Run() { write_tiny_data(directory_ / "set"); }
  TrainConfig config(const std::string& name) const {
    return tiny_config(directory_ / "set", directory_ / name);
  }
  std::vector<nlohmann::json> metrics(const std::string& name) const {
    return metrics_of(directory_ / name);
  }

  TempDir directory_;
};

constexpr std::int64_t kForEver = 1'000'000;

TEST_F(Run, StopsOnASignalAfterSaving) {
  const auto metrics_file = directory_ / "stopped" / "metrics.jsonl";
  {
    const std::jthread sender([&](const std::stop_token& ended) {
      // Once the first step is on record, the handlers are in place.
      while (!ended.stop_requested() && read_text(metrics_file).empty()) std::this_thread::yield();
      if (!ended.stop_requested()) raise(SIGTERM);
    });
    TrainConfig stopped = config("stopped");
    stopped.train.steps = kForEver;
    EXPECT_EQ(run(stopped), kStopped);
  }
  const auto steps = static_cast<std::int64_t>(metrics("stopped").size());
  EXPECT_LT(steps, kForEver);
  EXPECT_EQ(find_checkpoint(directory_ / "stopped").info().step, steps);
}

TEST_F(Run, MetricsHaveEveryStepOnce) {
  TrainConfig parts = config("parts");
  for (const std::int64_t steps : {2, 5}) {
    parts.train.steps = steps;
    ASSERT_EQ(run(parts), kDone);
  }
  const auto lines = metrics("parts");
  ASSERT_EQ(lines.size(), 5u);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i]["step"], i + 1);
    EXPECT_TRUE(lines[i]["loss"].is_number());
    EXPECT_TRUE(lines[i]["masked_loss"].is_number());
    EXPECT_GT(lines[i]["grad_norm"].get<double>(), 0);
    EXPECT_EQ(lines[i]["samples_seen"], 8 * (i + 1));
    double shares = 0;
    for (const auto& share : lines[i]["time_share"]) shares += share.get<double>();
    EXPECT_NEAR(shares, 1, 1e-9);
  }
}

TEST_F(Run, RecomputeChangesNoBit) {
  ASSERT_EQ(run(config("plain")), kDone);
  for (const Recompute recompute : {Recompute::kSelective, Recompute::kFull}) {
    const std::string name = recompute == Recompute::kFull ? "full" : "selective";
    TrainConfig again = config(name);
    again.train.recompute = recompute;
    ASSERT_EQ(run(again), kDone);
    EXPECT_EQ(contents(directory_ / "plain"), contents(directory_ / name)) << name;
  }
}

TEST_F(Run, SavesOfAnotherModelOptimizerOrSeedAreRefused) {
  ASSERT_EQ(run(config("run")), kDone);
  const auto message = [&](auto change) {
    TrainConfig other = config("run");
    change(other);
    return message_of<CheckpointError>([&] { run(other); });
  };
  EXPECT_THAT(
      message([](TrainConfig& c) {
        c.model.sizes.widths = {8, 12, 20, 12, 8};
      }),
      testing::HasSubstr("down_blocks.1.reduction.weight is [16, 48], the model has [20, 48]"));
  EXPECT_THAT(message([](TrainConfig& c) { c.optimizer.kind = OptimizerKind::kAdamW; }),
              testing::HasSubstr("adamw"));
  EXPECT_THAT(message([](TrainConfig& c) { c.train.seed = 6; }),
              testing::HasSubstr("train.seed 5, now it is 6"));
  EXPECT_EQ(message_of<UsageError>([&] {
              TrainConfig other = config("run");
              other.run.resume = false;
              run(other);
            }),
            fmt::format("[run] run.resume is off, but {} holds a checkpoint of step 6",
                        (directory_ / "run" / "checkpoints").string()));
}

TEST_F(Run, RefusesWhatDoesNotFitTheData) {
  TrainConfig classes = config("run");
  classes.model.classes = 3;
  EXPECT_THAT(message_of<DataError>([&] { run(classes); }), testing::HasSubstr("5"));
  TrainConfig size = config("run");
  size.model.image_size = 64;
  EXPECT_THAT(message_of<DataError>([&] { run(size); }), testing::HasSubstr("16"));
  TrainConfig missing = config("run");
  missing.data.path = directory_ / "nowhere";
  EXPECT_THAT(message_of<DataError>([&] { run(missing); }), testing::HasSubstr("nowhere"));
}

// A learning rate that throws the weights far away ends in NaN: the guard names what and where.
TEST_F(Run, NonFiniteValuesStopOrSkip) {
  TrainConfig config = this->config("run");
  config.optimizer.rate.initial = 1e30;
  config.train.steps = 20;
  EXPECT_THAT(message_of<NumericError>([&] { run(config); }),
              testing::AllOf(testing::HasSubstr("step "), testing::HasSubstr("not finite")));
  config.run.directory = directory_ / "skip";
  config.train.on_non_finite = OnNonFinite::kSkip;
  EXPECT_EQ(run(config), kDone);
  const auto lines = metrics("skip");
  ASSERT_EQ(lines.size(), 20u);
  EXPECT_TRUE(lines.back().contains("skipped"));
}

}  // namespace
}  // namespace edt::test
