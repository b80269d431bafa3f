// What a study says of its measurements.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "launcher/quality/claims.h"
#include "launcher/quality/gains.h"
#include "launcher/quality/report.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

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
  EXPECT_NEAR(cost_to_reach(curve, 2 / std::sqrt(30)).value().cost, 30, 1e-9);
  EXPECT_FALSE(cost_to_reach(curve, 2 / std::sqrt(30)).value().at_most);
  EXPECT_FALSE(cost_to_reach(curve, 0.1));                    // not reached
  const ReachedAt early = cost_to_reach(curve, 1.0).value();  // nobody knows since when
  EXPECT_EQ(early.cost, 10);
  EXPECT_TRUE(early.at_most);
  EXPECT_TRUE(curve_of(run, Figure::kFid, CostAxis::kSeconds).empty());
  // A model that has come apart has no figure.
  QualityRun broken = run;
  broken.points[2].quality.latent_distance = NAN;
  EXPECT_EQ(curve_of(broken, Figure::kLatentDistance, CostAxis::kSeconds).size(), 3u);
  broken.points[2].quality.latent_distance = INFINITY;
  EXPECT_EQ(curve_of(broken, Figure::kLatentDistance, CostAxis::kSeconds).size(), 3u);
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

// What a claim about an arm comes to where the other has that scale.
Verdict masked_pass(double without, double spread, std::int64_t seeds = 3) {
  std::vector<QualityRun> runs;
  for (std::int64_t seed = 0; seed < seeds; ++seed) {
    runs.push_back(run_of(0, seed, 1 + spread * static_cast<double>(seed), 0.5));
    runs.push_back(run_of(1, seed, without, 0.5));
  }
  const auto claims = quality_claims(report_of(runs));
  EXPECT_EQ(claims.size(), 2u);  // of the error and of latents; FID is not measured
  EXPECT_EQ(claims[0].text, "EDT is better for its masked pass");
  EXPECT_EQ(claims[0].published, "");
  return claims[0].after_seconds.value().verdict;
}

TEST(QualityClaims, SayWhatTheMaskedPassIsWorth) {
  EXPECT_EQ(masked_pass(2, 0.1), Verdict::kSeen);
  EXPECT_EQ(masked_pass(0.5, 0.1), Verdict::kReversed);
  EXPECT_EQ(masked_pass(1.05, 0.1), Verdict::kUnclear);
  EXPECT_EQ(masked_pass(1.15, 0.1), Verdict::kUnclear);  // medians apart, seeds not
  EXPECT_EQ(masked_pass(2, 0.1, 1), Verdict::kOneSeed);
}

// EDT has twice the pictures in the same time, and is no better for as many of them.
TEST(QualityClaims, TellPicturesFromTimeAndFlops) {
  std::vector<QualityRun> runs;
  for (const std::int64_t seed : {0, 1}) {
    const double noise = 1 + 0.01 * static_cast<double>(seed);
    runs.push_back(run_of(0, seed, noise, 0.5));
    for (QualityPoint& point : runs.back().points) point.images *= 2;
    runs.push_back(run_of(2, seed, noise * std::sqrt(2.0), 0.5, 2e9));
  }
  const QualityReport report = report_of(runs);
  const auto claims = quality_claims(report);
  ASSERT_EQ(claims.size(), 2u);
  EXPECT_EQ(claims[0].text, "EDT is better than MDTv2");
  EXPECT_EQ(claims[0].published, "FID 34.27, 39.5");
  EXPECT_EQ(claims[0].after_seconds.value().verdict, Verdict::kSeen);
  EXPECT_NEAR(claims[0].after_seconds.value().worse.low, std::sqrt(2.0 / 80), 1e-12);
  // MDTv2 ends at as many pictures as EDT has at half its time: 1 / sqrt(40) both.
  const ClaimSeen pictures = claims[0].after_images.value();
  EXPECT_EQ(pictures.cost, 32 * 80);
  EXPECT_NEAR(pictures.better.low, 1 / std::sqrt(40), 1e-12);
  EXPECT_EQ(pictures.verdict, Verdict::kUnclear);
  // As many FLOPs: EDT at its end, MDTv2 at half.
  EXPECT_NEAR(claims[0].after_flops.value().worse.low, std::sqrt(2.0 / 40), 1e-12);

  const auto speed = speed_claims(report);
  ASSERT_EQ(speed.size(), 1u);
  EXPECT_EQ(speed[0].ratio.middle, 2);
  EXPECT_EQ(speed[0].ratio.count, 2u);
  EXPECT_EQ(speed[0].published, "3.93 times");
  EXPECT_EQ(speed[0].verdict, Verdict::kSeen);

  const std::string html = quality_study_page(report).html();
  for (const char* text :
       {"EDT trains faster than MDTv2", "seen: 2 (2 to 2) times", "FID 34.27, 39.5",
        "within seeds: 0.159, 0.159", "paper (S)", "published FID (S)"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
  const auto json = quality_study_json(report);
  EXPECT_EQ(json["claims"][0]["verdict"], "seen");
  EXPECT_EQ(json["claims"][1]["equal_images"]["verdict"], "within seeds");
  EXPECT_THAT(quality_study_text(report), HasSubstr("What is said of them, and what is seen here"));
}

// One seed faster, the other slower.
TEST(QualityClaims, OfSpeedTakeEverySeed) {
  std::vector<QualityRun> runs;
  for (const std::int64_t seed : {0, 1, 2}) {
    runs.push_back(run_of(0, seed, 1, 0.5));
    runs.push_back(run_of(2, seed, 1, 0.5));
  }
  runs[0].points.back().images *= 3;
  runs[2].points.back().images *= 2;
  runs[4].points.back().images /= 2;
  const auto claims = speed_claims(report_of(runs));
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_EQ(claims[0].ratio.middle, 2);
  EXPECT_EQ(claims[0].verdict, Verdict::kUnclear);
}

TEST(QualityClaims, AreOfArmsThatAreThere) {
  EXPECT_TRUE(quality_claims(report_of({run_of(0, 0, 1, 0.5)})).empty());
  EXPECT_TRUE(speed_claims(report_of({run_of(2, 0, 1, 0.5)})).empty());
}

// An arm that is better than the level when it is measured for the first time has reached it: how
// early is not known, and the page says so.
TEST(QualityReport, TellsABoundFromATime) {
  const QualityReport report = report_of({run_of(0, 0, 0.01, 0.5), run_of(0, 1, 0.5, 0.5),
                                          run_of(2, 0, 1, 0.5), run_of(2, 1, 1.1, 0.5)});
  const auto json = quality_study_json(report);
  const auto& edt = json["arms"]["edt"]["figures"]["held_out_error"];
  EXPECT_NEAR(edt["level"].get<double>(), 1.1 / std::sqrt(80), 1e-12);  // with every seed
  EXPECT_EQ(edt["seconds"]["to_reach"]["least"], 10);
  EXPECT_EQ(edt["seconds"]["to_reach"]["runs"], 2);
  EXPECT_EQ(edt["seconds"]["to_reach"]["bound"], true);
  EXPECT_EQ(edt["seconds"]["ratio"]["runs"], 2);
  // Each with the base's run of its own seed: 80 s over 80 (0.5 / 1.1)^2.
  EXPECT_NEAR(edt["seconds"]["ratio"]["least"].get<double>(), 1.1 * 1.1 / 0.25, 1e-9);
  EXPECT_EQ(json["arms"]["mdtv2"]["figures"]["held_out_error"]["seconds"]["ratio"]["bound"], false);
  const std::string text = quality_study_text(report);
  EXPECT_THAT(text, HasSubstr("2 of 2"));
  EXPECT_THAT(text, HasSubstr("at most "));
  EXPECT_THAT(text, HasSubstr("at least "));
  // Nothing is said of a seed whose base was there before anybody looked.
  const auto other = quality_study_json(
      report_of({run_of(0, 0, 0.5, 0.5), run_of(0, 1, 0.5, 0.5), run_of(2, 0, 0.01, 0.5),
                 run_of(2, 1, 1, 0.5)}))["arms"]["edt"]["figures"]["held_out_error"];
  EXPECT_EQ(other["seconds"]["ratio"]["runs"], 1);
}

// Runs of an arm do the same work: what differs between them, others have taken.
TEST(QualityReport, SaysThatTheMachineWasShared) {
  std::vector<QualityRun> runs{run_of(0, 0, 1, 0.5), run_of(0, 1, 1, 0.5)};
  EXPECT_THAT(quality_study_text(report_of(runs)), testing::Not(HasSubstr("others used")));
  // As people write numbers: 999.7, which has four digits, too.
  runs[0].points.back().cost.seconds = 2560 / 999.7;
  EXPECT_THAT(quality_study_text(report_of(runs)), testing::Not(HasSubstr("e+03")));
  runs[0].points.back().cost.seconds = 80;
  runs[1].points.back().images *= 5;
  runs[1].points.back().images /= 4;
  EXPECT_THAT(quality_study_text(report_of(runs)),
              HasSubstr("up to 25.0 % faster than its slowest"));
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

// The models of size Ti are ours: what stands beside them is of S.
TEST(QualityArms, HavePublishedFiguresOfTheirSize) {
  EXPECT_EQ(quality_arms({.size = "B"})[0].published_fid, 19.18);
  EXPECT_EQ(quality_arms({.size = "Ti"})[0].published_fid, 34.27);
  EXPECT_EQ(published_size("Ti"), "S");
  EXPECT_EQ(published_size("XL"), "XL");
}

// Runs of EDT and of EDT with VAE-REPA, as the second arm: `scale` of its figures, and how many
// times as long its steps take.
QualityReport with_addition(double scale, double slower, double spread = 0,
                            std::int64_t seeds = 2) {
  std::vector<QualityRun> runs;
  for (std::int64_t seed = 0; seed < seeds; ++seed) {
    const double noise = 1 + spread * static_cast<double>(seed);
    runs.push_back(run_of(0, seed, 1, 0.5));
    runs.push_back(run_of(1, seed, scale * noise, 0.5));
    for (QualityPoint& point : runs.back().points) {
      point.cost.seconds *= slower;
      point.cost.flops *= 2;
    }
  }
  QualityReport report = report_of(runs);
  report.arms[1] = {.key = "edt-latent",
                    .label = "EDT with VAE-REPA",
                    .arguments = {},
                    .published_fid = {},
                    .base = "edt",
                    .published_gain = "FID 28.9, 33 (SiT-B)"};
  return report;
}

// Half the figure after as many pictures is what takes four times as many without it.
TEST(AdditionGains, AreInPicturesAndInTime) {
  const QualityReport report = with_addition(0.5, 2);
  const auto gains = addition_gains(report);
  ASSERT_EQ(gains.size(), 2u);  // of the error and of latents
  EXPECT_EQ(gains[0].figure, Figure::kHeldOut);
  // Where the arm without it ends: the other one comes there, too.
  EXPECT_NEAR(gains[0].level, 1 / std::sqrt(80), 1e-12);
  EXPECT_NEAR(gains[0].images.ratio.value().low, 4, 1e-9);
  EXPECT_NEAR(gains[0].seconds.ratio.value().high, 2, 1e-9);
  EXPECT_NEAR(gains[0].flops.ratio.value().middle, 2, 1e-9);
  EXPECT_EQ(gain_name(gains[0].images.ratio), "gained");

  const auto json = quality_study_json(report);
  EXPECT_EQ(json["additions"][0]["arm"], "edt-latent");
  EXPECT_EQ(json["additions"][0]["without"], "edt");
  EXPECT_EQ(json["additions"][0]["images"]["verdict"], "gained");
  EXPECT_NEAR(json["additions"][0]["seconds"]["ratio"]["median"].get<double>(), 2, 1e-9);
  for (const std::string& text : {quality_study_page(report).html(), quality_study_text(report)}) {
    EXPECT_THAT(text, HasSubstr("gained: 4 (4 to 4)"));
    EXPECT_THAT(text, HasSubstr("gained: 2 (2 to 2)"));
    EXPECT_THAT(text, HasSubstr("EDT with VAE-REPA"));
  }
  const auto claims = quality_claims(report);
  ASSERT_EQ(claims.size(), 2u);
  EXPECT_EQ(claims[0].text, "EDT with VAE-REPA is better than EDT");
  EXPECT_EQ(claims[0].published, "FID 28.9, 33 (SiT-B)");
  EXPECT_EQ(claims[0].after_images.value().verdict, Verdict::kSeen);
}

// More pictures are needed with it: both come to where it ends, and the arm without it earlier.
TEST(AdditionGains, MayBeLosses) {
  const auto verdict = [](const QualityReport& report, auto along) {
    return gain_name((addition_gains(report).at(0).*along).ratio);
  };
  const QualityReport slower = with_addition(1.5, 1);
  EXPECT_NEAR(addition_gains(slower)[0].level, 1.5 / std::sqrt(80), 1e-12);
  EXPECT_NEAR(addition_gains(slower)[0].images.ratio.value().middle, 1 / 2.25, 1e-9);
  EXPECT_EQ(verdict(slower, &AdditionGain::images), "lost");
  // Better after as many pictures, and not worth its time.
  const QualityReport dear = with_addition(0.8, 2);
  EXPECT_EQ(verdict(dear, &AdditionGain::images), "gained");
  EXPECT_EQ(verdict(dear, &AdditionGain::seconds), "lost");
  EXPECT_EQ(verdict(with_addition(0.9, 1, 0.2), &AdditionGain::images), "within seeds");
  EXPECT_EQ(verdict(with_addition(0.5, 1, 0, 1), &AdditionGain::images), "one seed");
  EXPECT_EQ(gain_name({}), "not there yet");
  // A bound: it may be more.
  EXPECT_EQ(gain_name(Spread{.middle = 0.9, .low = 0.8, .high = 0.9, .count = 2, .is_bound = true}),
            "within seeds");
}

TEST(AdditionGains, AreOfArmsWithTheirBase) {
  QualityReport report = with_addition(0.5, 1);
  std::erase_if(report.runs, [](const QualityRun& run) { return run.task.arm == 0; });
  EXPECT_TRUE(addition_gains(report).empty());
  EXPECT_THAT(quality_study_page(report).html(),
              testing::Not(HasSubstr("What an addition gains here")));
  EXPECT_TRUE(addition_gains(report_of({run_of(0, 0, 1, 0.5), run_of(1, 0, 1, 0.5)})).empty());
}

// What a study trains that names no arms stays what it was.
TEST(QualityArms, WithAdditionsAreAskedFor) {
  EXPECT_EQ(usual_arm_keys(),
            (std::vector<std::string>{"edt", "edt-unmasked", "edt-shared-noise", "edt-flow",
                                      "mdtv2", "dit", "sit", "lightningdit"}));
  const auto arms = quality_arms({.features = {"hog", "dino"}, .teacher = "/runs/done"});
  ASSERT_EQ(arms.size(), 26u);
  const auto has = [&](const std::string& key, const char* argument) {
    const auto arm = std::ranges::find(arms, key, &QualityArm::key);
    const auto base = std::ranges::find(arms, arm->base, &QualityArm::key);
    // All that its base says, and more.
    EXPECT_TRUE(std::equal(base->arguments.begin(), base->arguments.end(), arm->arguments.begin()));
    return std::ranges::count(arm->arguments, argument) == 1;
  };
  EXPECT_TRUE(has("edt-latent", "--align.with=latent"));
  EXPECT_TRUE(has("edt-flow-sra", "--align.with=teacher"));
  EXPECT_TRUE(has("edt-repa", "--align.features.arrays=hog,dino"));
  EXPECT_TRUE(has("edt-flow-repa", "--align.features.projector=256"));
  EXPECT_TRUE(has("edt-prototypes", "--align.with=prototypes"));
  EXPECT_TRUE(has("edt-flow-distilled", "--distill.from=/runs/done"));
  EXPECT_TRUE(has("edt-affine", "--model.modulation=affine"));
  EXPECT_TRUE(has("edt-linear", "--model.attention-form=linear,softmax,softmax,softmax,linear"));
  EXPECT_TRUE(has("edt-flow-spatial", "--model.spatial-layer=real"));
  EXPECT_TRUE(has("edt-ternary", "--model.weights=ternary"));
}

// Of what is beside training, such as a checkpoint, nothing is counted.
TEST(TrainingCost, IsThatOfTrainingAlone) {
  const TempDir folder;
  std::string lines;
  for (int step = 1; step <= 3; ++step) {
    lines += fmt::format(
        R"({{"step":{},"loss":1,"step_seconds":2,"flops_per_s":500,"time_share":{{"data":0.125,)"
        R"("compute":0.25,"communication":0.0625,"optimizer":0.0625,"checkpoint":0.25,"samples":)"
        R"(0.125,"evaluation":0.0625,"other":0.0625}}}})"
        "\n",
        step);
  }
  write_text(folder / "metrics.jsonl", lines);
  const TrainingCost cost = training_cost(folder / "metrics.jsonl");
  EXPECT_EQ(cost.steps, 3);
  EXPECT_DOUBLE_EQ(cost.seconds, 3 * 2 * 0.5);
  EXPECT_EQ(cost.flops, 3000);
  EXPECT_EQ(training_cost(folder / "none").steps, 0);
}

TEST(TrainingCost, StepsToABudgetFollowFromThoseBefore) {
  EXPECT_EQ(steps_until(10, 30, 5), 10);  // 2 each
  EXPECT_EQ(steps_until(30, 30.1, 15), 1);
  EXPECT_EQ(steps_until(30, 29, 15), 1);
}

}  // namespace
}  // namespace edt::test
