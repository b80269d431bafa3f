#include "core/optim/power_average.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/optim/optimizer.h"
#include "core/random/stream.h"

namespace edt {
namespace {

// arXiv 2312.02696, section 3.1: 0.05 and 0.10 are gamma 16.97 and 6.94.
TEST(PowerAverage, HasThePublishedExponents) {
  EXPECT_NEAR(power_exponent(0.05), 16.97, 0.005);
  EXPECT_NEAR(power_exponent(0.10), 6.94, 0.005);
  for (const double length : {0.001, 0.01, 0.05, 0.1, 0.2, 0.288}) {
    EXPECT_NEAR(power_length(power_exponent(length)), length, 1e-15);
  }
  EXPECT_NEAR(power_length(0), 1 / std::sqrt(12.0), 1e-15);
  for (const double length : {0.0, -0.1, 0.3, std::nan("")}) {
    EXPECT_THROW(power_exponent(length), UsageError) << length;
  }
}

// What each step counts at the end, by the updates themselves.
std::vector<double> counts_of(const PowerAverage& average, int steps) {
  std::vector<double> counts;
  for (int step = 1; step <= steps; ++step) {
    const double take = average.take(step);
    for (double& count : counts) count *= 1 - take;
    counts.push_back(take);
  }
  return counts;
}

TEST(PowerAverage, ItsUpdatesMakeTheProfile) {
  constexpr int kSteps = 4000;
  for (const double length : {0.02, 0.05, 0.1, 0.25}) {
    const PowerAverage average(length);
    const auto counts = counts_of(average, kSteps);
    double sum = 0, mean = 0, square = 0;
    for (int k = 1; k <= kSteps; ++k) {
      const double count = counts[static_cast<std::size_t>(k - 1)];
      const auto until = [&](int n) {
        return std::pow(static_cast<double>(n) / kSteps, average.exponent + 1);
      };
      EXPECT_NEAR(count, until(k) - until(k - 1), 1e-12);
      const double time = (k - 0.5) / kSteps;
      sum += count;
      mean += count * time;
      square += count * time * time;
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_NEAR(std::sqrt(square - mean * mean), length, 1e-6);  // its name says so
  }
}

TEST(PowerAverage, InnerProductIsThatOfTheProfiles) {
  const auto at = [](const PowerProfile& p, double t) {
    return t > p.steps ? 0 : (p.exponent + 1) * std::pow(t / p.steps, p.exponent) / p.steps;
  };
  for (const auto& [a, b] : {std::pair<PowerProfile, PowerProfile>{{6.94, 100}, {16.97, 60}},
                             {{2, 50}, {2, 50}},
                             {{0.5, 30}, {8, 200}}}) {
    double sum = 0;
    constexpr double kStep = 1e-3;
    for (int i = 0; i < 200'000; ++i) {
      const double t = (i + 0.5) * kStep;
      sum += at(a, t) * at(b, t) * kStep;
    }
    EXPECT_NEAR(inner_product(a, b), sum, 1e-6);
    EXPECT_EQ(inner_product(a, b), inner_product(b, a));
  }
}

TEST(PowerAverage, WhatIsStoredIsMetByItself) {
  std::vector<PowerProfile> stored;
  for (int hundreds = 1; hundreds <= 10; ++hundreds) {
    for (const double length : {0.05, 0.1}) {
      stored.push_back({power_exponent(length), 100.0 * hundreds});
    }
  }
  const PowerFit fit = fit_power_average(stored, stored[15], 0x1p-20);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    EXPECT_NEAR(fit.weights[i], i == 15 ? 1 : 0, 1e-4) << i;
  }
  EXPECT_LT(fit.error, 1e-6);
}

constexpr std::size_t kValues = 40;
constexpr int kSteps = 2000, kEvery = 50;

// Weights of a walk around 1.
std::vector<double> walk(std::vector<double> weights, int step) {
  std::vector<float> moves(kValues);
  random::fill_normal({.seed = 3, .step = static_cast<std::uint32_t>(step)}, moves);
  for (std::size_t i = 0; i < kValues; ++i) weights[i] += 0.01 * double{moves[i]};
  return weights;
}

struct Carried {
  PowerAverage average;
  std::vector<double> values = std::vector<double>(kValues);
  void take(const std::vector<double>& weights, int step) {
    const double share = average.take(step);
    for (std::size_t i = 0; i < kValues; ++i) values[i] += share * (weights[i] - values[i]);
  }
};

// Averages that nobody kept, against the same carried along in float64. They differ where the
// profile is not met: never by more than its error says, of what the weights have moved.
TEST(PowerAverage, OthersAreReconstructedAsIfCarried) {
  Carried kept[] = {{PowerAverage(0.05)}, {PowerAverage(0.1)}};
  Carried exact[] = {{PowerAverage(0.03)},
                     {PowerAverage(0.05)},
                     {PowerAverage(0.07)},
                     {PowerAverage(0.15)},
                     {PowerAverage(0.2)}};
  std::vector<PowerProfile> profiles;
  std::vector<std::vector<double>> snapshots;
  std::vector<double> weights(kValues, 1.0);
  for (int step = 1; step <= kSteps; ++step) {
    weights = walk(weights, step);
    for (Carried& one : kept) one.take(weights, step);
    for (Carried& one : exact) one.take(weights, step);
    for (const Carried& one : kept) {
      if (step % kEvery != 0) continue;
      profiles.push_back({one.average.exponent, static_cast<double>(step)});
      snapshots.push_back(one.values);
    }
  }
  const double moved = 0.01 * std::sqrt(kSteps);
  for (const Carried& one : exact) {
    const PowerFit fit = fit_power_average(profiles, {one.average.exponent, kSteps}, 0x1p-20);
    EXPECT_NEAR(std::accumulate(fit.weights.begin(), fit.weights.end(), 0.0), 1, 1e-12);
    EXPECT_LT(fit.error, 0.01) << one.average.name();
    for (std::size_t i = 0; i < kValues; ++i) {
      double made = 0;
      for (std::size_t s = 0; s < snapshots.size(); ++s) made += fit.weights[s] * snapshots[s][i];
      EXPECT_NEAR(made, one.values[i], moved * (1e-6 + fit.error)) << one.average.name();
    }
  }
}

TEST(Optimizer, FollowsInTheFormThatKeepsWhatDoesNotMove) {
  const auto optimizer = make_optimizer(AdamWConfig{});
  std::vector<float> params(9001), average(params.size(), 7.f), parts(params.size(), 7.f);
  random::fill_normal({.seed = 1}, params);
  optimizer->follow(params, average, 1);
  EXPECT_EQ(average, params);
  parts = average;
  auto moved = params;
  for (float& value : moved) value *= 1.5f;
  optimizer->follow(moved, average, 0.25f);
  for (std::size_t i = 0; i < params.size(); ++i) {
    EXPECT_EQ(average[i], params[i] + 0.25f * (moved[i] - params[i]));
  }
  for (const auto& [begin, end] :
       {std::pair<std::size_t, std::size_t>{0, 3}, {3, 5000}, {5000, 9001}}) {
    optimizer->follow(std::span(moved).subspan(begin, end - begin),
                      std::span(parts).subspan(begin, end - begin), 0.25f);
  }
  EXPECT_EQ(parts, average);  // however it is cut
}

}  // namespace
}  // namespace edt
