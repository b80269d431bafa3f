#include "launcher/train/ceiling_gauge.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/cpu/cpu_backend.h"
#include "core/json/json_text.h"
#include "core/reference/reference_backend.h"
#include "launcher/train/step_log.h"
#include "parallel/comm/self/self_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

const std::vector<MatmulForm> kGemms{{.m = 64, .n = 48, .k = 32, .count = 3}};

// A thousandth of the time: half a second every 500 s.
TEST(CeilingSchedule, TakesAThousandthOfTheTime) {
  CeilingSchedule schedule;
  schedule.taken(10, 0.5);
  schedule.reached(0.9);
  EXPECT_FALSE(schedule.is_due(10));
  EXPECT_FALSE(schedule.is_due(509));
  EXPECT_TRUE(schedule.is_due(511));
}

TEST(CeilingSchedule, IsDueOnceAMinuteWhereItCostsNothing) {
  CeilingSchedule schedule;
  schedule.taken(10, 1e-3);
  schedule.reached(0.9);
  EXPECT_FALSE(schedule.is_due(69));
  EXPECT_TRUE(schedule.is_due(71));
}

// A hundredth of the time, of what it costs on the machine as it is now.
TEST(CeilingSchedule, IsSoonerDueOnceAStepIsFasterThanTheCeiling) {
  CeilingSchedule schedule;
  schedule.taken(0, 0.5);
  schedule.reached(1.25);
  EXPECT_FALSE(schedule.is_due(39));
  EXPECT_TRUE(schedule.is_due(41));
  schedule.reached(5);
  EXPECT_FALSE(schedule.is_due(9));
  EXPECT_TRUE(schedule.is_due(11));
  schedule.reached(0.9);
  EXPECT_FALSE(schedule.is_due(101));
}

// Where a new ceiling is too low again, steps are no reason to take one after the other.
TEST(CeilingSchedule, IsNotTakenOverAndOver) {
  CeilingSchedule schedule;
  schedule.taken(0, 0.5);
  schedule.reached(1.2);
  schedule.taken(101, 0.5);
  schedule.reached(1.2);
  EXPECT_FALSE(schedule.is_due(300));
  EXPECT_TRUE(schedule.is_due(602));
  schedule.reached(0.9);
  schedule.reached(1.2);
  EXPECT_TRUE(schedule.is_due(300));
}

TEST(CeilingGauge, MeasuresAllRanksTogether) {
  run_ranks(3, [](Communicator& world) {
    const auto backend = make_cpu_backend();
    CeilingGauge gauge(*backend, kGemms, DType::kFloat32, world);
    EXPECT_GT(gauge.rate(), 0);
    EXPECT_EQ(world.all_reduce_value(gauge.rate(), Reduce::kMax, "rate"), gauge.rate());
    EXPECT_GT(gauge.take_again(), 0);
    EXPECT_EQ(world.all_reduce_value(gauge.rate(), Reduce::kMax, "rate"), gauge.rate());
  });
}

TEST(CeilingGauge, IsNeverDueWhereNothingCanBeMeasured) {
  const auto world = make_self_communicator();
  const auto backend = make_reference_backend();
  CeilingGauge gauge(*backend, kGemms, DType::kFloat32, *world);
  EXPECT_EQ(gauge.rate(), 0);
  gauge.reached(0);
  EXPECT_FALSE(gauge.is_due());
}

nlohmann::json written(double share, const std::filesystem::path& directory) {
  const auto world = make_self_communicator();
  const RunDirectory run(directory, *world);
  RunOptions options;
  options.tensorboard = false;
  StepLog log(run, 1, 1, options, ProgressStyle::kSilent);
  StepRecord record;
  record.report.step = 1;
  record.images = 4;
  record.step_seconds = 2;
  record.flops = 2e9 * share;
  record.ceiling_rate = 1e9;
  log.write(record);
  log.sync();
  return parse_json(test::read_text(run.metrics()), "metrics");
}

TEST(StepLogCeiling, MarksWhatCannotBe) {
  const test::TempDir directory;
  const auto possible = written(0.75, directory / "a"), outdated = written(1.25, directory / "b");
  EXPECT_DOUBLE_EQ(possible["ceiling_ratio"], 0.75);
  EXPECT_FALSE(possible.contains("ceiling_outdated"));
  EXPECT_DOUBLE_EQ(outdated["ceiling_ratio"], 1.25);
  EXPECT_EQ(outdated["ceiling_outdated"], 1);
}

}  // namespace
}  // namespace edt
