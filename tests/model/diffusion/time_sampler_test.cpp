#include "model/diffusion/time_sampler.h"

#include <gmock/gmock-matchers.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/error.h"

namespace edt {
namespace {

struct Draws {
  std::vector<double> times;
  std::vector<float> weights;
};

Draws draw(const TimeSampler& sampler, std::uint32_t step, std::size_t n) {
  Draws draws{std::vector<double>(n), std::vector<float>(n)};
  sampler.sample(11, step, draws.times, draws.weights);
  return draws;
}

std::unique_ptr<TimeSampler> make(TimeSampling sampling, int steps) {
  return make_time_sampler({.sampling = sampling}, steps);
}

// The steps of a process of so many.
std::vector<double> times_of(const std::vector<int>& steps, int of) {
  std::vector<double> times;
  for (const int step : steps) times.push_back(static_cast<double>(step) / of);
  return times;
}

std::size_t step_of(double t, int steps) {
  return static_cast<std::size_t>(std::lround(t * steps));
}

// Ten losses of t + 1 at each timestep.
std::unique_ptr<TimeSampler> warmed_up(int steps) {
  auto sampler = make(TimeSampling::kLossSecondMoment, steps);
  std::vector<int> all(static_cast<std::size_t>(steps));
  std::iota(all.begin(), all.end(), 0);
  std::vector<float> losses(all.begin(), all.end());
  for (float& loss : losses) loss += 1;
  for (int i = 0; i < 10; ++i) sampler->update(times_of(all, steps), losses);
  return sampler;
}

TEST(UniformTimesteps, CoverAllEvenlyWithWeightOne) {
  const auto sampler = make(TimeSampling::kUniform, 1000);
  const Draws draws = draw(*sampler, 0, 200000);
  std::vector<int> counts(1000);
  for (const double t : draws.times) ++counts.at(step_of(t, 1000));
  // 200 expected each, standard deviation 14: six of them.
  EXPECT_THAT(counts, testing::Each(testing::AllOf(testing::Gt(115), testing::Lt(285))));
  EXPECT_THAT(draws.weights, testing::Each(testing::FloatEq(1)));
}

TEST(Timesteps, DependOnPositionAndStepOnly) {
  const auto sampler = make(TimeSampling::kUniform, 1000);
  const Draws large = draw(*sampler, 3, 64), small = draw(*sampler, 3, 16);
  EXPECT_TRUE(std::equal(small.times.begin(), small.times.end(), large.times.begin()));
  EXPECT_NE(draw(*sampler, 4, 64).times, large.times);
}

TEST(LossSecondMoment, IsUniformUntilEveryHistoryIsFull) {
  const auto sampler = make(TimeSampling::kLossSecondMoment, 4);
  const std::vector<double> all{0, 0.25, 0.5, 0.75};
  const std::vector<float> losses{1, 2, 3, 4};
  for (int i = 0; i < 9; ++i) sampler->update(all, losses);
  sampler->update(std::vector<double>{0, 0.25, 0.5}, std::vector<float>{1, 2, 3});
  EXPECT_THAT(sampler->probabilities(), testing::Each(0.25));
  sampler->update(std::vector<double>{0.75}, std::vector<float>{4});
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
    sampler->update(std::vector<double>{0}, std::vector<float>{2});
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
  for (std::size_t i = 0; i < draws.times.size(); ++i) {
    const std::size_t t = step_of(draws.times[i], 50);
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
  sampler->update(times_of({3, 3, 7}, 20), std::vector<float>{9, 8, 7});
  const auto copy = make(TimeSampling::kLossSecondMoment, 20);
  copy->restore(sampler->state());
  for (auto* each : {sampler.get(), copy.get()}) {
    each->update(times_of({3}, 20), std::vector<float>{1});
  }
  EXPECT_EQ(copy->probabilities(), sampler->probabilities());
  EXPECT_EQ(draw(*copy, 5, 100).times, draw(*sampler, 5, 100).times);
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
  EXPECT_THROW(make(TimeSampling::kUniform, 4)->restore(state), CheckpointError);
}

// Any time: 1000 bins remember losses, and a draw falls anywhere into its bin.
TEST(LossSecondMoment, OfAFlowHasBins) {
  const auto sampler = make(TimeSampling::kLossSecondMoment, 0);
  ASSERT_EQ(sampler->probabilities().size(), 1000u);
  std::vector<double> all;
  std::vector<float> losses;
  for (int bin = 0; bin < 1000; ++bin) {
    all.push_back((bin + 0.7) / 1000);
    losses.push_back(bin < 500 ? 1 : 3);
  }
  all.push_back(1);  // of the last bin
  losses.push_back(3);
  for (int i = 0; i < 10; ++i) sampler->update(all, losses);
  const Draws draws = draw(*sampler, 0, 100000);
  double late = 0, mean_of_t = 0, whole = 0;
  for (std::size_t i = 0; i < draws.times.size(); ++i) {
    ASSERT_TRUE(0 <= draws.times[i] && draws.times[i] < 1);
    late += 1e-5 * (draws.times[i] >= 0.5);
    mean_of_t += 1e-5 * draws.weights[i] * draws.times[i];
    whole += draws.times[i] * 1000 == std::floor(draws.times[i] * 1000);
  }
  EXPECT_NEAR(late, 0.75, 0.01);
  EXPECT_NEAR(mean_of_t, 0.5, 0.01);
  EXPECT_LT(whole, 10);
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST(UniformTimes, OfAFlowAreAnyTime) {
  const Draws draws = draw(*make(TimeSampling::kUniform, 0), 0, 100000);
  EXPECT_NEAR(mean(draws.times), 0.5, 0.006);  // six standard errors
  EXPECT_GT(std::ranges::max(draws.times), 0.9999);
  EXPECT_LT(std::ranges::min(draws.times), 0.0001);
}

// Each of as many parts as there are samples has one, and each micro-batch has all kinds.
TEST(StratifiedTimes, TakeEachPartOnce) {
  for (const std::size_t batch : {1u, 2u, 6u, 256u, 1000u}) {
    const auto times = draw(*make(TimeSampling::kStratified, 0), 3, batch).times;
    std::vector<int> counts(batch);
    for (const double t : times) {
      ++counts.at(static_cast<std::size_t>(t * static_cast<double>(batch)));
    }
    EXPECT_THAT(counts, testing::Each(1)) << batch;
  }
  const auto times = draw(*make(TimeSampling::kStratified, 1000), 3, 256).times;
  for (std::size_t first = 0; first < 256; first += 16) {
    const auto [low, high] = std::minmax_element(times.begin() + static_cast<long>(first),
                                                 times.begin() + static_cast<long>(first) + 16);
    EXPECT_LT(*low, 0.13);
    EXPECT_GT(*high, 0.87);
  }
  for (const double t : times) EXPECT_EQ(t, static_cast<double>(step_of(t, 1000)) / 1000);
}

TEST(LogitNormalTimes, HaveTheMeanAndDeviationOfTheirLogits) {
  for (const auto& [about, deviation] : {std::pair{0.0, 1.0}, {-0.5, 0.7}, {1.0, 2.0}}) {
    const auto sampler = make_time_sampler(
        {.sampling = TimeSampling::kLogitNormal, .mean = about, .deviation = deviation}, 0);
    std::vector<double> logits, squares;
    for (const double t : draw(*sampler, 0, 100000).times) {
      logits.push_back(std::log(t / (1 - t)));
      squares.push_back(std::pow(logits.back() - about, 2));
    }
    EXPECT_NEAR(mean(logits), about, 0.02 * deviation);
    EXPECT_NEAR(std::sqrt(mean(squares)), deviation, 0.02 * deviation);
  }
}

TEST(ShiftedTimes, AreThoseOfTheFormula) {
  EXPECT_EQ(shifted(0.37, 1), 0.37);
  EXPECT_DOUBLE_EQ(shifted(0.5, 3), 0.75);
  // The other direction of time has the inverse shift.
  EXPECT_NEAR(1 - shifted(1 - 0.2, 1 / 0.3), shifted(0.2, 0.3), 1e-15);
  const TimeLaw law{.sampling = TimeSampling::kUniform, .shift = 3};
  const auto plain = draw(*make(TimeSampling::kUniform, 0), 2, 100).times;
  const auto moved = draw(*make_time_sampler(law, 0), 2, 100).times;
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(moved[i], shifted(plain[i], 3));
  for (const double t : draw(*make_time_sampler(law, 1000), 2, 100).times) {
    EXPECT_EQ(t, static_cast<double>(step_of(t, 1000)) / 1000);
  }
}

TEST(TimesUntil, AreUniformFromThatStepOn) {
  for (const int steps : {0, 1000}) {
    for (const auto sampling :
         {TimeSampling::kLogitNormal, TimeSampling::kStratified, TimeSampling::kLossSecondMoment}) {
      const auto first = make(sampling, steps), then = make(TimeSampling::kUniform, steps);
      const auto both = make_time_sampler({.sampling = sampling, .until = 7}, steps);
      EXPECT_EQ(both->name(), first->name());
      EXPECT_EQ(both->state().size(), first->state().size());
      EXPECT_EQ(draw(*both, 6, 50).times, draw(*first, 6, 50).times);
      EXPECT_EQ(draw(*both, 7, 50).times, draw(*then, 7, 50).times);
    }
  }
}

// Every law draws the sample at a position from seed, step and position alone: the first ones of a
// larger batch are those of a smaller one. Parts of the range are those of the batch.
TEST(Times, DependOnTheirPositionAlone) {
  for (const auto sampling :
       {TimeSampling::kUniform, TimeSampling::kLogitNormal, TimeSampling::kLossSecondMoment}) {
    const auto sampler = make(sampling, 0);
    auto large = draw(*sampler, 3, 64).times;
    large.resize(16);
    EXPECT_EQ(draw(*sampler, 3, 16).times, large);
    EXPECT_NE(draw(*sampler, 4, 16).times, large);
  }
}

TEST(Times, RefuseLawsThatAreNone) {
  EXPECT_THROW(make_time_sampler({.deviation = 0}, 0), UsageError);
  EXPECT_THROW(make_time_sampler({.shift = 0}, 0), UsageError);
  EXPECT_THROW(make_time_sampler({.until = -1}, 0), UsageError);
  EXPECT_THROW(make_time_sampler({.shift = 2}, 1000), UsageError) << "that follow the losses";
}

}  // namespace
}  // namespace edt
