#include "core/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"

namespace edt {
namespace {

LearningRateConfig published() {
  return {.kind = ScheduleKind::kLinear, .initial = 1e-3, .final = 5e-5, .decay_steps = 400000};
}

TEST(LearningRate, LinearAsPublished) {
  const auto config = published();
  EXPECT_DOUBLE_EQ(learning_rate(config, 0), 1e-3);
  EXPECT_DOUBLE_EQ(learning_rate(config, 100000), 1e-3 - 0.25 * 9.5e-4);
  EXPECT_DOUBLE_EQ(learning_rate(config, 400000), 5e-5);
  EXPECT_DOUBLE_EQ(learning_rate(config, 405000), 5e-5);
}

TEST(LearningRate, CosineHalvesInTheMiddle) {
  auto config = published();
  config.kind = ScheduleKind::kCosine;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0), 1e-3);
  EXPECT_DOUBLE_EQ(learning_rate(config, 200000), (1e-3 + 5e-5) / 2);
  EXPECT_NEAR(learning_rate(config, 100000), 5e-5 + 9.5e-4 * (1 + std::sqrt(0.5)) / 2, 1e-15);
  EXPECT_DOUBLE_EQ(learning_rate(config, 400000), 5e-5);
}

TEST(LearningRate, WarmsUpThenDecays) {
  auto config = published();
  config.warmup_steps = 10;
  config.decay_steps = 110;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0), 1e-4);
  EXPECT_DOUBLE_EQ(learning_rate(config, 9), 1e-3);
  EXPECT_DOUBLE_EQ(learning_rate(config, 10), 1e-3);
  EXPECT_DOUBLE_EQ(learning_rate(config, 60), (1e-3 + 5e-5) / 2);
  EXPECT_DOUBLE_EQ(learning_rate(config, 110), 5e-5);
  config.kind = ScheduleKind::kConstant;
  EXPECT_DOUBLE_EQ(learning_rate(config, 4), 5e-4);
  EXPECT_DOUBLE_EQ(learning_rate(config, 1000000), 1e-3);
}

TEST(LearningRate, RefusesNonsense) {
  EXPECT_NO_THROW(validate(published()));
  auto config = published();
  config.decay_steps = config.warmup_steps = 5;
  EXPECT_THROW(validate(config), UsageError);
  config = published();
  config.initial = -1;
  EXPECT_THROW(validate(config), UsageError);
  config = published();
  config.final = NAN;
  EXPECT_THROW(validate(config), UsageError);
  EXPECT_THROW(parse_schedule_kind("lineal"), UsageError);
  EXPECT_EQ(parse_schedule_kind("cosine"), ScheduleKind::kCosine);
}

}  // namespace
}  // namespace edt
