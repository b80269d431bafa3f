#include "launcher/watch/pace.h"

#include <gtest/gtest.h>

namespace edt {
namespace {

std::deque<MetricsRecord> steps(int count, double seconds, double pause_after = 0) {
  std::deque<MetricsRecord> recent;
  double time = 5000;
  for (int i = 1; i <= count; ++i) {
    MetricsRecord record;
    record.step = i;
    record.step_seconds = seconds;
    record.generation = 1;
    time += seconds + pause_after;
    record.time = time;
    recent.push_back(record);
  }
  return recent;
}

TEST(Pace, CountsWhatHappensBetweenSteps) {
  EXPECT_NEAR(pace_of(steps(100, 2, 0.5))->seconds_per_step, 2.5, 0.01);
}

TEST(Pace, NothingWithoutSteps) { EXPECT_FALSE(pace_of({})); }

TEST(Pace, WaitingBetweenTwoStartsDoesNotCount) {
  auto recent = steps(60, 2);
  for (std::size_t i = 50; i < 60; ++i) {  // ten hours in a queue
    recent[i].time += 36000;
    recent[i].generation = 2;
  }
  EXPECT_NEAR(pace_of(recent)->seconds_per_step, 2, 1e-9);
  EXPECT_EQ(pace_of(recent)->steps, 60);
}

TEST(Pace, TheNewStartCountsAloneOnceItHasTwentySteps) {
  auto recent = steps(60, 2);
  for (std::size_t i = 30; i < 60; ++i) {  // on faster nodes
    recent[i].time = 90000 + static_cast<double>(i) * 0.5;
    recent[i].step_seconds = 0.5;
    recent[i].generation = 2;
  }
  EXPECT_NEAR(pace_of(recent)->seconds_per_step, 0.5, 1e-9);
}

TEST(Pace, AFrozenHourDoesNotCount) {
  auto between = steps(100, 1);
  for (std::size_t i = 50; i < 100; ++i) between[i].time += 3600;
  EXPECT_NEAR(pace_of(between)->seconds_per_step, 1, 1e-9);
  auto inside = between;
  inside[50].step_seconds = 3601;
  EXPECT_NEAR(pace_of(inside)->seconds_per_step, 1, 1e-9);
}

TEST(Pace, RecordsWithoutTimeGoByTheLengthOfSteps) {
  auto recent = steps(5, 3);
  for (MetricsRecord& record : recent) record.time = record.generation = MetricsRecord::kNone;
  EXPECT_NEAR(pace_of(recent)->seconds_per_step, 3, 1e-9);
}

}  // namespace
}  // namespace edt
