// Self-discrimination as a part of a step: what it learns, how its centre moves, and what is
// refused. Its loss and the step of its centre against DINO's: tests/golden/distillation_test.cpp.
#include "model/auxiliary/prototype_alignment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "tests/model/auxiliary/stepped.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::step, test::Stepped, test::message_of, test::tiny_dit, test::tiny_edt;

PrototypeAlignmentConfig few_prototypes() { return {.prototypes = 24, .width = 8}; }

TrainingRecipe recipe_of(const ModelConfig& model, const PrototypeAlignmentConfig& prototypes) {
  return test::recipe_beside(model, {.prototypes = prototypes});
}

// Choices agree more and more.
TEST(PrototypeAlignment, IsLearnt) {
  for (const ModelConfig& model : {ModelConfig(tiny_edt()), ModelConfig(tiny_dit())}) {
    TrainingRecipe recipe = recipe_of(model, few_prototypes());
    recipe.auxiliary.prototypes->course.weight = 1;
    recipe.engine.optimizer = AdamWConfig{};
    recipe.engine.rate.initial = 3e-3;
    const Stepped first = step(recipe), last = step(recipe, 200);
    ASSERT_EQ(first.report.beside.size(), 1u);
    EXPECT_EQ(first.report.beside[0].first, "align_prototypes");
    EXPECT_GT(first.report.beside[0].second, 1) << model.name();
    EXPECT_LT(last.report.beside[0].second, 0.8 * first.report.beside[0].second) << model.name();
  }
}

TEST(PrototypeAlignment, CentreMovesWithEachStep) {
  const Stepped one = step(recipe_of(tiny_edt(), few_prototypes())),
                two = step(recipe_of(tiny_edt(), few_prototypes()), 2);
  ASSERT_EQ(one.state.size(), 24u);
  EXPECT_NE(one.state, std::vector<float>(24));
  EXPECT_NE(one.state, two.state);
  PrototypeAlignmentConfig still = few_prototypes();
  still.centre_momentum = 0;
  const Stepped without = step(recipe_of(tiny_edt(), still));
  for (std::size_t k = 0; k < 24; ++k) {
    EXPECT_NEAR(one.state[k], 0.1f * without.state[k], 1e-6f + 1e-5f * std::abs(one.state[k]));
  }
}

TEST(PrototypeAlignment, EndsWhereItIsToldTo) {
  PrototypeAlignmentConfig ends = few_prototypes();
  ends.course.until = 5;
  test::expect_to_end_at_5(recipe_of(tiny_edt(), ends));
}

// The student's tokens are those of the masked pass where that keeps their places.
TEST(PrototypeAlignment, ReadsTheMaskedPass) {
  TrainingRecipe masked = recipe_of(tiny_edt(), few_prototypes()), full = masked;
  full.engine.objective.masked = false;
  EXPECT_NE(step(masked).report.beside, step(full).report.beside);
  TrainingRecipe again = masked;
  again.engine.recompute = Recompute::kFull;
  EXPECT_EQ(step(again, 2).weights, step(masked, 2).weights);
  EXPECT_TRUE(std::isfinite(step(recipe_of(test::tiny_mdtv2(), few_prototypes()), 2).report.loss));
}

TEST(PrototypeAlignment, ReadsTheSecondStageOrTheMiddle) {
  const auto after = [](const char* preset) {
    return PrototypeAlignmentConfig{}.resolved(model_preset(preset)).after;
  };
  EXPECT_EQ(after("EDT-S/2"), 4);
  EXPECT_EQ(after("SiT-B/2"), 6);
  EXPECT_EQ(after("SiT-XL/2"), 14);
}

TEST(PrototypeAlignment, RefusesWhatItCannotRead) {
  const auto refusal = [](const PrototypeAlignmentConfig& config,
                          const ObjectiveConfig& objective) {
    return message_of<UsageError>(
        [&] { check_companions({.prototypes = config}, tiny_edt(), objective); });
  };
  EXPECT_EQ(refusal(few_prototypes(), {}), "");
  PrototypeAlignmentConfig beyond = few_prototypes();
  beyond.after = 99;
  EXPECT_EQ(refusal(beyond, {}),
            "[model] align.prototypes.after is 99, tiny EDT has 6 blocks: 1 to 6 can be read");
  EXPECT_EQ(refusal(few_prototypes(), {.masked = false, .dual_time = 0.25}),
            "[align] align.with names prototypes, and train.dual-time is 0.25: the teacher sees "
            "whole pictures at one time");
  PrototypeAlignmentConfig early = few_prototypes();
  early.after = 1;
  EXPECT_EQ(refusal(early, {.shared_noise = true}),
            "[align] align.prototypes.after is 1, and with train.shared-noise both passes have one "
            "block 1: block 2 is the first with tokens of the masked pass");
}

}  // namespace
}  // namespace edt
