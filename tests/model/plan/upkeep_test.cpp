// What failures cost, against what is published, and against drawn failures.
#include "model/plan/upkeep.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/model/plan/planned_steps.h"

namespace edt {
namespace {

constexpr double kHour = 3600, kDay = 24 * kHour;

TEST(BestInterval, IsDalys) {
  // Young's sqrt(2 x 300 x 86400) is 7200 s, less by the cost and a little more.
  EXPECT_NEAR(best_interval(300, kDay), 7200 * (1 + 0.0138889 + 0.0001929) - 300, 0.01);
  EXPECT_EQ(best_interval(2 * kHour, kHour), kHour);
  EXPECT_LT(best_interval(1e-9, kDay), 1);
}

TEST(BestInterval, LeavesMostOfTheTime) {
  for (const double cost : {1.0, 60.0, 600.0}) {
    for (const double between : {kHour, 10 * kHour}) {
      const double best = best_interval(cost, between);
      const auto share = [&](double factor) {
        return effective_share(factor * best, cost, 120, between);
      };
      EXPECT_GT(share(1), share(0.8)) << cost << " " << between;
      EXPECT_GT(share(1), share(1.25)) << cost << " " << between;
    }
  }
}

// Failures that are drawn, while restarting too.
double drawn_share(double interval, double cost, double restart, double between) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> next(1 / between);
  double now = 0, until = next(random);
  // The time that something takes until it has been gone through without a failure.
  const auto attempt = [&](double seconds) {
    const bool passes = seconds <= until;
    const double took = passes ? seconds : until;
    now += took;
    until = passes ? until - took : next(random);
    return passes;
  };
  constexpr int kIntervals = 20000;
  for (int i = 0; i < kIntervals; ++i) {
    while (!attempt(interval + cost)) {
      while (!attempt(restart)) {
      }
    }
  }
  return kIntervals * interval / now;
}

TEST(EffectiveShare, IsThatOfDrawnFailures) {
  for (const auto& [interval, cost, restart, between] :
       {std::array{600.0, 10.0, 60.0, 7200.0}, std::array{1800.0, 120.0, 600.0, 3600.0},
        std::array{100.0, 1.0, 0.0, 1e6}}) {
    EXPECT_NEAR(effective_share(interval, cost, restart, between),
                drawn_share(interval, cost, restart, between), 0.01)
        << interval;
  }
}

Cluster failing_cluster(int nodes) {
  Cluster cluster{.name = "test", .nodes = nodes, .devices = 8};
  cluster.storage = {.bandwidth = 200e9, .node_bandwidth = 5e9, .operations = 1e4, .staging = 20e9};
  cluster.device_failure = 50700 * kHour;
  cluster.restart = 300;
  return cluster;
}

Prediction prediction_of(int data_ranks, ZeroStage stage) {
  return {.step = test::small_step(data_ranks, 1, stage), .parameters = 698'000'000};
}

// Llama 3's run: 419 failures in 54 days on 16,384 devices, more than 90 % of the time effective
// (arXiv 2407.21783).
TEST(Upkeep, OfPublishedFailures) {
  const auto upkeep =
      plan_upkeep(prediction_of(16384, ZeroStage::kOptimizer), failing_cluster(2048));
  ASSERT_TRUE(upkeep);
  EXPECT_NEAR(54 * kDay / upkeep->between_failures, 419, 1);
  EXPECT_GT(upkeep->effective, 0.9);
  EXPECT_LT(upkeep->effective, 0.98);
  EXPECT_EQ(upkeep->limit, "restarts");
}

// Adan keeps some arrays beside master weights and average.
TEST(Upkeep, CountsWhatIsWritten) {
  const auto of = [&](int ranks, ZeroStage stage) {
    return plan_checkpoint(prediction_of(ranks, stage), failing_cluster(512));
  };
  const PlannedCheckpoint sharded = of(4096, ZeroStage::kOptimizer);
  const double bytes = 698e6 * 4 * (2 + make_optimizer(AdanConfig{})->state_count());
  EXPECT_EQ(sharded.bytes, bytes);
  EXPECT_EQ(sharded.files, 4098);
  EXPECT_EQ(sharded.operations, 7 * 4096 + 21);
  EXPECT_NEAR(sharded.copy_seconds, bytes / 4096 / 20e9, 1e-9);
  EXPECT_NEAR(sharded.write_seconds, bytes / 200e9 + 2.8693, 1e-4);
  EXPECT_NEAR(of(8, ZeroStage::kGradients).read_seconds, bytes / 5e9, 1e-6);
  // One rank has it all to write, whatever the number of nodes.
  const PlannedCheckpoint whole = of(64, ZeroStage::kNone);
  EXPECT_NEAR(whole.copy_seconds, bytes / 20e9, 1e-9);
  EXPECT_NEAR(whole.read_seconds, bytes / 5e9, 1e-6);
}

TEST(Upkeep, IsNotMadeUp) {
  const Prediction prediction = prediction_of(8, ZeroStage::kOptimizer);
  Cluster cluster = failing_cluster(1);
  cluster.device_failure = 0;
  EXPECT_FALSE(plan_upkeep(prediction, cluster));
  cluster = failing_cluster(1);
  cluster.storage.operations = 0;
  EXPECT_FALSE(plan_upkeep(prediction, cluster));
}

}  // namespace
}  // namespace edt
