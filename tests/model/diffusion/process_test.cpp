#include "model/diffusion/process.h"

#include <gtest/gtest.h>

#include <cmath>

namespace edt {
namespace {

std::vector<Process> all_processes() {
  std::vector<Process> all;
  for (const auto prediction :
       {PredictionType::kNoise, PredictionType::kOrigin, PredictionType::kVelocity}) {
    for (const auto path : {FlowPath::kLinear, FlowPath::kCosine}) {
      for (const auto told : {Told::kData, Told::kNoise}) {
        all.emplace_back(ProcessConfig{
            .kind = ProcessKind::kFlow, .prediction = prediction, .path = path, .told = told});
      }
    }
    all.emplace_back(ProcessConfig{.prediction = prediction});
  }
  return all;
}

// What a network gives that knows x_0 and e leads back to both, whatever it predicts.
TEST(Process, PredictionsLeadBackToDataAndNoise) {
  constexpr double kOrigin = 0.3, kNoise = -1.7;
  for (const Process& process : all_processes()) {
    for (const double t : {0.1, 0.4, 0.5, 0.9}) {
      const PathPoint p = process.at(t);
      const auto [of_origin, of_noise] = process.target(t);
      const double out = of_origin * kOrigin + of_noise * kNoise;
      const double x = p.alpha * kOrigin + p.sigma * kNoise;
      const auto value = [&](const Mix& mix) { return mix.of_x * x + mix.of_out * out; };
      EXPECT_NEAR(value(process.origin(p)), kOrigin, 1e-9);
      EXPECT_NEAR(value(process.noise(p)), kNoise, 1e-9);
      EXPECT_NEAR(value(process.velocity(p)), p.alpha_rate * kOrigin + p.sigma_rate * kNoise, 1e-9);
    }
  }
}

TEST(Process, RatesAreThoseOfThePath) {
  for (const auto path : {FlowPath::kLinear, FlowPath::kCosine}) {
    const Process process(ProcessConfig::flow(path));
    for (const double t : {0.2, 0.5, 0.8}) {
      constexpr double kStep = 1e-5;
      const PathPoint p = process.at(t), a = process.at(t - kStep), b = process.at(t + kStep);
      EXPECT_NEAR(p.alpha_rate, (b.alpha - a.alpha) / (2 * kStep), 1e-8);
      EXPECT_NEAR(p.sigma_rate, (b.sigma - a.sigma) / (2 * kStep), 1e-8);
      EXPECT_EQ(p.time, t);
    }
    EXPECT_EQ(process.at(0).alpha, 1);
    EXPECT_EQ(process.at(0).sigma, 0);
    EXPECT_NEAR(process.at(1).alpha, 0, 1e-15);
    EXPECT_EQ(process.at(1).sigma, 1);
  }
}

TEST(Process, StepsOfDdpmAreThoseOfTheSchedule) {
  const Process process({});
  const DiffusionSchedule schedule;
  ASSERT_EQ(process.steps(), 1000);
  for (std::int32_t step = 0; step < 1000; ++step) {
    const double t = process.time_of(step);
    ASSERT_EQ(process.step(t), step);
    ASSERT_EQ(process.told(t), static_cast<float>(step));
    ASSERT_EQ(process.at(t).alpha, std::sqrt(schedule[step].alpha_bar));
    ASSERT_EQ(process.snr_weight(t, 5), schedule.snr_weight(step, 5));
  }
  EXPECT_EQ(Process(ProcessConfig::flow()).steps(), 0);
  EXPECT_EQ(Process(ProcessConfig::flow()).schedule(), nullptr);
}

// Errors of the noise, of x_0 and of the velocity that are one error are weighed alike.
TEST(Process, MinSnrWeighsTheSameErrorAlike) {
  const Process noise({}), origin({.prediction = PredictionType::kOrigin}),
      velocity({.prediction = PredictionType::kVelocity});
  for (const double t : {0.02, 0.3, 0.7}) {
    const PathPoint p = noise.at(t);
    const double snr = p.alpha * p.alpha / (p.sigma * p.sigma);
    // An error d of x_0 is one of alpha / sigma d of the noise, and of sqrt(snr + 1) d of v.
    const double of_origin = origin.snr_weight(t, 5);
    EXPECT_NEAR(noise.snr_weight(t, 5) * snr, of_origin, 1e-9 * of_origin);
    EXPECT_NEAR(velocity.snr_weight(t, 5) * (snr + 1), of_origin, 1e-9 * of_origin);
  }
}

TEST(Process, TellsTheNetworkItsOwnTimes) {
  ProcessConfig config = ProcessConfig::flow();
  EXPECT_EQ(Process(config).told(0.25), 0.75f);
  config.told = Told::kNoise;
  EXPECT_EQ(Process(config).told(0.25), 0.25f);
  config.told_scale = 1000;
  EXPECT_EQ(Process(config).told(0.25), 250.f);
  // x - e towards data, e - x towards noise.
  EXPECT_EQ(Process(ProcessConfig::flow()).target(0.4), (std::pair{1.0, -1.0}));
  EXPECT_EQ(Process(config).target(0.4), (std::pair{-1.0, 1.0}));
}

TEST(Process, OnlyPredictedNoiseOfStepsHasAVariance) {
  EXPECT_EQ(ProcessConfig{}.out_channels(4), 8);
  EXPECT_EQ(ProcessConfig{.learnt_variance = false}.out_channels(4), 4);
  EXPECT_EQ(ProcessConfig{.prediction = PredictionType::kOrigin}.out_channels(4), 4);
  EXPECT_EQ(ProcessConfig::flow().out_channels(32), 32);
  ProcessConfig noise = ProcessConfig::flow();
  noise.prediction = PredictionType::kNoise;
  EXPECT_EQ(noise.out_channels(4), 4);
}

}  // namespace
}  // namespace edt
