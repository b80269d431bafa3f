// The noise schedule and its spacings against the published tables.
#include <gmock/gmock-matchers.h>

#include <cmath>

#include "model/diffusion/schedule.h"
#include "model/diffusion/spacing.h"
#include "tests/golden/golden_file.h"

namespace edt {
namespace {

TEST(DiffusionSchedule, MatchesThePublishedTables) {
  const test::GoldenFile tables("tables.h5");
  const auto betas = tables.read<double>("betas");
  const auto alpha_bar = tables.read<double>("alphas_cumprod");
  const auto log_variance = tables.read<double>("posterior_log_variance_clipped");
  const auto mean1 = tables.read<double>("posterior_mean_coef1");
  const auto mean2 = tables.read<double>("posterior_mean_coef2");
  const DiffusionSchedule schedule;
  ASSERT_EQ(schedule.steps(), 1000);
  // Both sides are double; a thousand products leave a few units in the last places.
  const auto expect_close = [](double value, double expected) {
    EXPECT_NEAR(value, expected, 1e-12 * std::abs(expected));
  };
  for (int t = 0; t < 1000; ++t) {
    const auto i = static_cast<std::size_t>(t);
    expect_close(schedule[t].beta, betas[i]);
    expect_close(schedule[t].alpha_bar, alpha_bar[i]);
    expect_close(schedule[t].posterior_log_variance, log_variance[i]);
    expect_close(schedule[t].posterior_mean1, mean1[i]);
    EXPECT_NEAR(schedule[t].posterior_mean2, mean2[i], 1e-12);
    EXPECT_EQ(schedule[t].timestep, t);
  }
}

TEST(Spacing, MatchesThePublishedCode) {
  const test::GoldenFile tables("tables.h5");
  const auto names = tables.names("respace");
  ASSERT_GE(names.size(), 4u);
  for (const std::string& name : names) {
    const auto expected = tables.read<std::int64_t>("respace/" + name);
    EXPECT_THAT(space_timesteps(1000, name), testing::ElementsAreArray(expected)) << name;
  }
}

}  // namespace
}  // namespace edt
