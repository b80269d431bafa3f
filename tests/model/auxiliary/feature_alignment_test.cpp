// REPA as a part of a step: published sizes and cost, what it asks of the data set, what it learns,
// and what is refused.
#include "model/auxiliary/feature_alignment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/reference/reference_backend.h"
#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "tests/model/auxiliary/stepped.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::message_of, test::step;

TrainingRecipe with_features(const ModelConfig& model, const FeatureAlignmentConfig& features) {
  return test::recipe_beside(model, {.features = features});
}

const FeatureAlignmentConfig kDino{.arrays = {{"dinov2-b", 768}}};

// REPA's SiT-XL/2: 8.13 M parameters and 2.08 GMAC, 1.8 % of a forward pass
// (sihyun-yu/REPA models/sit.py, counted).
TEST(FeatureAlignment, HasThePublishedSizeAndCost) {
  const ModelConfig config = model_preset("SiT-XL/2");
  const auto backend = make_reference_backend();
  const TrainingRecipe with = with_features(config, kDino);
  TrainingRecipe without = with;
  without.auxiliary = {};
  const TrainedNetworks made = make_networks(with, *backend);
  EXPECT_NEAR(static_cast<double>(made.model->parameters().elements_of("align.features")) / 8.13e6,
              1, 0.002);
  const double macs =
      (total_macs(training_gemms({with})) - total_macs(training_gemms({without}))) / 3 / 2;
  EXPECT_NEAR(macs / 2.08e9, 1, 0.005);
  EXPECT_NEAR(macs / total_macs(forward_gemms(config, 1)), 0.018, 0.0005);
}

TEST(FeatureAlignment, AsksForATokenForEachOfTheBlock) {
  const auto request = [](const char* preset) {
    return kDino.requests(model_preset(preset)).at(0).shape;
  };
  EXPECT_EQ(request("SiT-B/2"), (std::vector<std::int64_t>{256, 768}));
  EXPECT_EQ(request("EDT-S/2"), (std::vector<std::int64_t>{64, 768}));  // averages of 2 x 2
  const auto after = [](const char* preset) { return kDino.resolved(model_preset(preset)).after; };
  EXPECT_EQ(after("SiT-B/2"), 4);
  EXPECT_EQ(after("SiT-L/2"), 8);
  EXPECT_EQ(after("SiT-XL/2"), 8);
  EXPECT_EQ(after("EDT-S/2"), 4);
  FeatureAlignmentConfig early = kDino;
  early.after = 2;
  EXPECT_EQ(early.requests(model_preset("EDT-S/2")).at(0).shape[0], 256);
}

FeatureAlignmentConfig small() {
  return {.arrays = {{"a", 10}, {"b.2", 6}}, .after = 1, .projector = 16};
}

TEST(FeatureAlignment, IsReportedByArrayAndIsLearnt) {
  TrainingRecipe recipe = with_features(test::tiny_dit(), small());
  recipe.engine.optimizer = AdamWConfig{};
  recipe.engine.rate.initial = 3e-3;
  const StepReport first = step(recipe).report, last = step(recipe, 200).report;
  ASSERT_EQ(first.beside.size(), 2u);
  EXPECT_EQ(first.beside[0].first, "align_a");
  EXPECT_EQ(first.beside[1].first, "align_b_2");
  for (std::size_t i = 0; i < 2; ++i) {
    // Directions that have nothing to do with each other at first.
    EXPECT_NEAR(first.beside[i].second, 1, 0.2);
    EXPECT_LT(last.beside[i].second, 0.92);
  }
}

// A direction has no length.
TEST(FeatureAlignment, LooksAtDirectionsAlone) {
  const TrainingRecipe recipe = with_features(test::tiny_dit(), small());
  const StepReport one = step(recipe).report, other = step(recipe, 1, 0, {}, 64.f).report;
  EXPECT_NEAR(one.beside[0].second, other.beside[0].second, 1e-6);
  EXPECT_NEAR(one.grad_norm / other.grad_norm, 1, 1e-5);
  EXPECT_NE(one.beside[0].second, step(recipe, 1, 0, {}, -1.f).report.beside[0].second);
}

// Several arrays share the weight that one would have.
TEST(FeatureAlignment, WeightIsThatOfTheMean) {
  FeatureAlignmentConfig twice = small(), once = small();
  once.arrays = {{"a", 10}};
  twice.arrays = {{"a", 10}, {"b", 10}};
  const auto backend = make_reference_backend();
  const auto weights = [&](const FeatureAlignmentConfig& config) {
    const auto made = make_networks(with_features(test::tiny_dit(), config), *backend);
    std::vector<double> all;
    for (const LossTerm& term : made.companions.at(0)->terms()) all.push_back(term.weight);
    return all;
  };
  EXPECT_EQ(weights(once), (std::vector<double>{0.5}));
  EXPECT_EQ(weights(twice), (std::vector<double>{0.25, 0.25}));
}

// The masked pass sees other tokens of the same pictures: the same targets, another gradient.
TEST(FeatureAlignment, OfBothPasses) {
  const TrainingRecipe full = with_features(test::tiny_edt(), small());
  TrainingRecipe both = full;
  both.auxiliary.features->after = 2;
  both.auxiliary.features->pass = CompanionPass::kBoth;
  TrainingRecipe one = both;
  one.auxiliary.features->pass = CompanionPass::kFull;
  const StepReport of_both = step(both).report, of_one = step(one).report;
  // What is reported is of the full pass; a product of twice as many rows may round otherwise.
  ASSERT_EQ(of_both.beside.size(), of_one.beside.size());
  for (std::size_t i = 0; i < of_one.beside.size(); ++i) {
    EXPECT_EQ(of_both.beside[i].first, of_one.beside[i].first);
    EXPECT_NEAR(of_both.beside[i].second, of_one.beside[i].second, 1e-5);
  }
  EXPECT_NE(of_both.grad_norm, of_one.grad_norm);
  EXPECT_NEAR(step(both, 3).report.beside[0].second, 1, 0.3);
}

TEST(FeatureAlignment, EndsWhereItIsToldTo) {
  FeatureAlignmentConfig ends = small();
  ends.course.until = 5;
  test::expect_to_end_at_5(with_features(test::tiny_edt(), ends));
}

TEST(FeatureAlignment, RefusesWhatItCannotRead) {
  const auto refusal = [](const FeatureAlignmentConfig& features) {
    return message_of<UsageError>(
        [&] { check_companions({.features = features}, test::tiny_dit(), {.masked = false}); });
  };
  EXPECT_EQ(refusal({}),
            "[align] align.with has features, and align.features.arrays names no array");
  EXPECT_EQ(refusal({.arrays = {{"a", 0}}}),
            "[align] align.features.dims: nobody says how many numbers a token of 'a' has: give "
            "them, or a data set");
  EXPECT_EQ(refusal({.arrays = {{"a.b", 4}, {"a_b", 4}}}),
            "[align] align.features.arrays: 'a_b' is there twice");
  FeatureAlignmentConfig beyond = small();
  beyond.after = 3;
  EXPECT_EQ(refusal(beyond),
            "[model] align.features.after is 3, tiny DiT has 2 blocks: 1 to 2 can be read");
  FeatureAlignmentConfig both = small();
  both.pass = CompanionPass::kBoth;
  EXPECT_EQ(refusal(both),
            "[align] align.features.pass is both, and train.masked is off: there is the full pass "
            "alone");
  EXPECT_EQ(refusal(small()), "");
}

}  // namespace
}  // namespace edt
