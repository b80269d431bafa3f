// What a study says of its measurements.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "launcher/quality/report.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

// A run whose figures are scale * seconds^-power, at 10, 20, 40 and 80 s.
QualityRun run_of(std::size_t arm, std::int64_t seed, double scale, double power,
                  double flops_per_second = 1e9) {
  QualityRun run{{arm, seed}, {}};
  for (const double seconds : {10.0, 20.0, 40.0, 80.0}) {
    QualityPoint point;
    point.cost = {static_cast<std::int64_t>(seconds), seconds, seconds * flops_per_second};
    point.images = static_cast<std::int64_t>(32 * seconds);
    point.quality.held_out = scale * std::pow(seconds, -power);
    point.quality.latent_distance = 100 * point.quality.held_out;
    run.points.push_back(point);
  }
  return run;
}

QualityReport report_of(std::vector<QualityRun> runs) {
  QualityReport report;
  report.machine = "a machine";
  report.command = "edt bench quality";
  report.options.points = 4;
  report.arms = {{"edt", "EDT", {}, 34.27},
                 {"edt-unmasked", "EDT without its masked pass", {}, {}},
                 {"mdtv2", "MDTv2", {}, 39.50}};
  report.tasks = 9;
  report.runs = std::move(runs);
  return report;
}

TEST(QualityCurve, IsAStraightLineOfLogarithmsBetweenPoints) {
  const QualityRun run = run_of(0, 0, 2, 0.5);
  const QualityCurve curve = curve_of(run, Figure::kHeldOut, CostAxis::kSeconds);
  EXPECT_NEAR(*value_at(curve, 30), 2 / std::sqrt(30), 1e-12);
  EXPECT_EQ(*value_at(curve, 40), 2 * std::pow(40.0, -0.5));
  EXPECT_FALSE(value_at(curve, 9));
  EXPECT_FALSE(value_at(curve, 81));
  EXPECT_NEAR(*cost_to_reach(curve, 2 / std::sqrt(30)), 30, 1e-9);
  EXPECT_FALSE(cost_to_reach(curve, 0.1));  // not reached
  EXPECT_FALSE(cost_to_reach(curve, 1.0));  // nobody knows since when
  EXPECT_TRUE(curve_of(run, Figure::kFid, CostAxis::kSeconds).empty());
}

TEST(QualityReport, TimesArmsToWhereTheBaseEnds) {
  // EDT is at MDTv2's end, 1 / sqrt(80) = 2^-k, in a quarter of the time with each seed.
  std::vector<QualityRun> runs;
  for (const std::int64_t seed : {0, 1, 2}) {
    runs.push_back(run_of(0, seed, 0.5, 0.5));
    runs.push_back(run_of(2, seed, 1, 0.5, 2e9));
  }
  const auto json = quality_study_json(report_of(runs));
  EXPECT_EQ(json["base"], "mdtv2");
  const auto& edt = json["arms"]["edt"]["figures"]["held_out_error"];
  EXPECT_NEAR(edt["level"].get<double>(), 1 / std::sqrt(80), 1e-12);
  EXPECT_NEAR(edt["seconds"]["to_reach"]["median"].get<double>(), 20, 1e-9);
  EXPECT_NEAR(edt["seconds"]["ratio"]["median"].get<double>(), 4, 1e-9);
  EXPECT_EQ(edt["seconds"]["ratio"]["runs"], 3);
  EXPECT_NEAR(edt["flops"]["ratio"]["median"].get<double>(), 8, 1e-9);  // MDTv2 did twice the work
  const auto& base = json["arms"]["mdtv2"]["figures"]["held_out_error"];
  EXPECT_NEAR(base["seconds"]["ratio"]["median"].get<double>(), 1, 1e-9);
  // Equal FLOPs: what EDT has done at the end, 80e9, MDTv2 at 40 s.
  EXPECT_NEAR(base["flops"]["at_equal"]["median"].get<double>(), 1 / std::sqrt(40), 1e-9);
  const std::string text = quality_study_text(report_of(runs));
  EXPECT_THAT(text, HasSubstr("34.27"));
  EXPECT_THAT(text, HasSubstr("6 of 9 runs have been measured so far."));
}

TEST(QualityReport, SaysWhatTheMaskedPassIsWorth) {
  const auto finding = [](double without, double spread, std::int64_t seeds = 3) {
    std::vector<QualityRun> runs;
    for (std::int64_t seed = 0; seed < seeds; ++seed) {
      runs.push_back(run_of(0, seed, 1 + spread * static_cast<double>(seed), 0.5));
      runs.push_back(run_of(1, seed, without, 0.5));
    }
    return quality_study_json(report_of(runs))["findings"][0].get<std::string>();
  };
  EXPECT_THAT(finding(2, 0.1), HasSubstr("the masked pass helps"));
  EXPECT_THAT(finding(0.5, 0.1), HasSubstr("the masked pass costs more than it gives"));
  EXPECT_THAT(finding(1.05, 0.1), HasSubstr("no difference beyond that of seeds"));
  EXPECT_THAT(finding(2, 0.1, 1), HasSubstr("one seed cannot tell them apart"));
}

TEST(QualityReport, ShowsWhatIsThereOfAStudyThatGoesOn) {
  std::vector<QualityRun> runs{run_of(0, 0, 1, 0.5), run_of(2, 0, 1, 0.5)};
  runs[1].points.resize(2);
  const QualityReport report = report_of(runs);
  const std::string html = quality_study_page(report).html();
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, HasSubstr("2 of 9 runs"));
  EXPECT_THAT(quality_study_csv(report), HasSubstr("mdtv2,0,20,20,"));
}

TEST(QualityMeasure, ComparesProcessesAtEqualRatiosOfSignalToNoise) {
  const Process ddpm{ProcessConfig{}}, flow{ProcessConfig::flow()};
  for (const std::int32_t step : {62, 437, 937}) {
    const PathPoint p = ddpm.at(ddpm.time_of(step));
    EXPECT_EQ(time_of_ratio(ddpm, p.alpha / p.sigma), ddpm.time_of(step));
    const PathPoint q = flow.at(time_of_ratio(flow, p.alpha / p.sigma));
    EXPECT_NEAR(q.alpha / q.sigma / (p.alpha / p.sigma), 1, 1e-9) << step;
  }
}

TEST(QualityArms, DifferInWhatTheyAreNamedFor) {
  std::set<std::string> seen;
  for (const bool equal : {true, false}) {
    for (const QualityArm& arm : quality_arms({.size = "S", .equal_optimizer = equal})) {
      std::string all;
      for (const std::string& argument : arm.arguments) all += argument + " ";
      EXPECT_TRUE(seen.insert(all).second) << arm.key << ": " << all;
    }
  }
}

TEST(TrainingCost, StepsToABudgetFollowFromThoseBefore) {
  EXPECT_EQ(steps_until(10, 30, 5), 10);  // 2 each
  EXPECT_EQ(steps_until(30, 30.1, 15), 1);
}

}  // namespace
}  // namespace edt::test
