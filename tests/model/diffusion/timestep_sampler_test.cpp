#include "model/diffusion/timestep_sampler.h"

#include <gmock/gmock-matchers.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/error.h"

namespace edt {
namespace {

struct Draws {
  std::vector<std::int32_t> timesteps;
  std::vector<float> weights;
};

Draws draw(const TimestepSampler& sampler, std::uint32_t step, std::size_t n) {
  Draws draws{std::vector<std::int32_t>(n), std::vector<float>(n)};
  sampler.sample(11, step, draws.timesteps, draws.weights);
  return draws;
}

// Ten losses of t + 1 at each timestep.
std::unique_ptr<TimestepSampler> warmed_up(int steps) {
  auto sampler = make_timestep_sampler("loss-second-moment", steps);
  std::vector<std::int32_t> timesteps(static_cast<std::size_t>(steps));
  std::iota(timesteps.begin(), timesteps.end(), 0);
  std::vector<float> losses(timesteps.begin(), timesteps.end());
  for (float& loss : losses) loss += 1;
  for (int i = 0; i < 10; ++i) sampler->update(timesteps, losses);
  return sampler;
}

TEST(UniformTimesteps, CoverAllEvenlyWithWeightOne) {
  const auto sampler = make_timestep_sampler("uniform", 1000);
  const Draws draws = draw(*sampler, 0, 200000);
  std::vector<int> counts(1000);
  for (auto t : draws.timesteps) ++counts.at(static_cast<std::size_t>(t));
  // 200 expected each, standard deviation 14: six of them.
  EXPECT_THAT(counts, testing::Each(testing::AllOf(testing::Gt(115), testing::Lt(285))));
  EXPECT_THAT(draws.weights, testing::Each(testing::FloatEq(1)));
}

TEST(Timesteps, DependOnPositionAndStepOnly) {
  const auto sampler = make_timestep_sampler("uniform", 1000);
  const Draws large = draw(*sampler, 3, 64), small = draw(*sampler, 3, 16);
  EXPECT_TRUE(std::equal(small.timesteps.begin(), small.timesteps.end(), large.timesteps.begin()));
  EXPECT_NE(draw(*sampler, 4, 64).timesteps, large.timesteps);
}

TEST(LossSecondMoment, IsUniformUntilEveryHistoryIsFull) {
  const auto sampler = make_timestep_sampler("loss-second-moment", 4);
  const std::vector<std::int32_t> all{0, 1, 2, 3};
  const std::vector<float> losses{1, 2, 3, 4};
  for (int i = 0; i < 9; ++i) sampler->update(all, losses);
  sampler->update(std::vector<std::int32_t>{0, 1, 2}, std::vector<float>{1, 2, 3});
  EXPECT_THAT(sampler->probabilities(), testing::Each(0.25));
  sampler->update(std::vector<std::int32_t>{3}, std::vector<float>{4});
  // Shares 0.1 ... 0.4 of 99.9 %, and 0.1 % spread evenly.
  for (std::size_t t = 0; t < 4; ++t) {
    EXPECT_NEAR(sampler->probabilities()[t], 0.999 * 0.1 * static_cast<double>(t + 1) + 0.00025,
                1e-12);
  }
}

TEST(LossSecondMoment, ForgetsTheOldestLoss) {
  const auto sampler = warmed_up(2);  // losses 1 and 2
  const double before = sampler->probabilities()[0];
  for (int i = 0; i < 10; ++i) {
    sampler->update(std::vector<std::int32_t>{0}, std::vector<float>{2});
  }
  EXPECT_LT(before, 0.34);
  EXPECT_NEAR(sampler->probabilities()[0], 0.5, 1e-12);
}

TEST(LossSecondMoment, WeightsMakeTheEstimateUnbiased) {
  const auto sampler = warmed_up(50);
  const auto p = sampler->probabilities();
  const Draws draws = draw(*sampler, 0, 100000);
  std::vector<double> frequency(50);
  double mean_of_t = 0;
  for (std::size_t i = 0; i < draws.timesteps.size(); ++i) {
    const auto t = static_cast<std::size_t>(draws.timesteps[i]);
    frequency[t] += 1e-5;
    mean_of_t += 1e-5 * draws.weights[i] * static_cast<double>(t);
    ASSERT_FLOAT_EQ(draws.weights[i], static_cast<float>(1 / (50 * p[t])));
  }
  for (std::size_t t = 0; t < 50; ++t) {
    EXPECT_NEAR(frequency[t], p[t], 6 * std::sqrt(p[t] / 1e5)) << t;
  }
  EXPECT_NEAR(mean_of_t, 24.5, 0.25);
}

TEST(LossSecondMoment, StateContinuesTheDraws) {
  const auto sampler = warmed_up(20);
  sampler->update(std::vector<std::int32_t>{3, 3, 7}, std::vector<float>{9, 8, 7});
  const auto copy = make_timestep_sampler("loss-second-moment", 20);
  copy->restore(sampler->state());
  for (auto* each : {sampler.get(), copy.get()}) {
    each->update(std::vector<std::int32_t>{3}, std::vector<float>{1});
  }
  EXPECT_EQ(copy->probabilities(), sampler->probabilities());
  EXPECT_EQ(draw(*copy, 5, 100).timesteps, draw(*sampler, 5, 100).timesteps);
}

TEST(Timesteps, RefuseDamagedState) {
  const auto sampler = warmed_up(4);
  std::vector<double> state(sampler->state().begin(), sampler->state().end());
  state[0] = 11;
  EXPECT_THROW(sampler->restore(state), CheckpointError);
  state[0] = 10;
  state[5] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(sampler->restore(state), CheckpointError);
  state.pop_back();
  EXPECT_THROW(sampler->restore(state), CheckpointError);
  EXPECT_THROW(make_timestep_sampler("uniform", 4)->restore(state), CheckpointError);
  EXPECT_THROW(make_timestep_sampler("cosine", 4), UsageError);
}

}  // namespace
}  // namespace edt
