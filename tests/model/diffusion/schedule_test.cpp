#include "model/diffusion/schedule.h"

#include <gmock/gmock-matchers.h>

#include <cmath>

#include "core/base/error.h"
#include "core/ops/diffusion_loss.h"
#include "model/diffusion/spacing.h"

namespace edt {
namespace {

TEST(DiffusionSchedule, SpacedKeepsTheNoiseLevels) {
  const DiffusionSchedule schedule;
  const std::vector<int> kept{0, 250, 500, 749, 999};
  const DiffusionSchedule spaced = schedule.spaced(kept);
  ASSERT_EQ(spaced.steps(), 5);
  for (int i = 0; i < 5; ++i) {
    const int t = kept[static_cast<std::size_t>(i)];
    EXPECT_EQ(spaced[i].timestep, t);
    EXPECT_NEAR(spaced[i].alpha_bar, schedule[t].alpha_bar, 1e-14);
    EXPECT_NEAR(spaced[i].alpha_bar_prev, i == 0 ? 1 : spaced[i - 1].alpha_bar, 1e-14);
    EXPECT_NEAR(spaced[i].log_beta, std::log(1 - spaced[i].alpha_bar / spaced[i].alpha_bar_prev),
                1e-9);
  }
  EXPECT_EQ(spaced[0].posterior_log_variance, spaced[1].posterior_log_variance);
  EXPECT_EQ(schedule.spaced(std::vector{7})[0].posterior_log_variance,
            schedule.spaced(std::vector{7})[0].log_beta);
}

TEST(DiffusionSchedule, MinSnrWeight) {
  const DiffusionSchedule schedule;
  const double first = schedule[0].alpha_bar, last = schedule[999].alpha_bar;
  EXPECT_DOUBLE_EQ(schedule.snr_weight(0, 5), 5 * (1 - first) / first);
  EXPECT_DOUBLE_EQ(schedule.snr_weight(999, 5), 1);
  EXPECT_DOUBLE_EQ(schedule.snr_weight(0, 0), 1);
  EXPECT_LT(last / (1 - last), 5);
}

TEST(DiffusionSchedule, FillsTheRowsOfTheLoss) {
  const DiffusionSchedule schedule;
  const std::vector<std::int32_t> steps{417, 0};
  std::vector<float> rows(2 * LossCoefficient::kCount);
  schedule.loss_coefficients(steps, 5, rows);
  const auto at = [&](int b, int column) {
    return rows[static_cast<std::size_t>(b * LossCoefficient::kCount + column)];
  };
  for (int b = 0; b < 2; ++b) {
    const double alpha_bar = schedule[steps[static_cast<std::size_t>(b)]].alpha_bar;
    const double signal = std::sqrt(alpha_bar), noise = std::sqrt(1 - alpha_bar);
    // Noising and its inversion cancel.
    EXPECT_NEAR(at(b, LossCoefficient::kSqrtRecipAlphaBar) * signal, 1, 1e-6);
    EXPECT_NEAR(at(b, LossCoefficient::kSqrtRecipAlphaBar) * noise,
                at(b, LossCoefficient::kSqrtRecipM1AlphaBar), 1e-6);
    EXPECT_EQ(at(b, LossCoefficient::kVbWeight), 1);
    EXPECT_LE(at(b, LossCoefficient::kLogVarianceMin), at(b, LossCoefficient::kLogVarianceMax));
  }
  EXPECT_EQ(at(0, LossCoefficient::kIsFirstStep), 0);
  EXPECT_EQ(at(1, LossCoefficient::kIsFirstStep), 1);
  EXPECT_FLOAT_EQ(at(0, LossCoefficient::kPosteriorMean1),
                  static_cast<float>(schedule[417].posterior_mean1));
  EXPECT_FLOAT_EQ(at(1, LossCoefficient::kPosteriorMean2), 0);
  EXPECT_FLOAT_EQ(at(1, LossCoefficient::kMseWeight),
                  static_cast<float>(schedule.snr_weight(0, 5)));
}

TEST(Spacing, DividesTheScheduleEvenly) {
  EXPECT_THAT(space_timesteps(1000, "5"), testing::ElementsAre(0, 250, 500, 749, 999));
  EXPECT_THAT(space_timesteps(1000, "ddim5"), testing::ElementsAre(0, 200, 400, 600, 800));
  EXPECT_THAT(space_timesteps(6, "3"), testing::ElementsAre(0, 2, 5));  // 2.5 rounds to even
  EXPECT_THAT(space_timesteps(1000, "1"), testing::ElementsAre(0));
  EXPECT_EQ(space_timesteps(1000, "1000").size(), 1000u);
  EXPECT_EQ(space_timesteps(1000, "ddim1000").size(), 1000u);
}

TEST(Spacing, RefusesWhatCannotBeDivided) {
  for (const char* bad : {"", "0", "-5", "abc", "10,", ",10", "10,,5", "ddim", "ddim0", "ddimx",
                          "1001", "600,10", "ddim999", "5 ", "99999999999"}) {
    EXPECT_THROW(space_timesteps(1000, bad), UsageError) << bad;
  }
}

}  // namespace
}  // namespace edt
