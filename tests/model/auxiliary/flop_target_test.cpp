// The target of gates as a part of a step. Values: tests/golden/unit_gates_test.cpp.
#include "model/auxiliary/flop_target.h"

#include <gmock/gmock.h>

#include "tests/model/auxiliary/stepped.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::step, test::Stepped, test::term, test::message_of, test::recipe_beside, test::tiny_dit,
    test::tiny_edt, test::tiny_lightning_dit, test::tiny_mdtv2;
using testing::HasSubstr;

TrainingRecipe gated(ModelConfig model, FlopTargetConfig target, double bias = 15) {
  model.common().gates = {target.target, bias, 2 * bias};
  TrainingRecipe recipe = recipe_beside(model, {.flop_target = target});
  recipe.engine.objective.masked = false;
  return recipe;
}

TEST(ShareAsked, IsAllAtFirstAndThenFallsToTheTarget) {
  const FlopTargetConfig config{.target = 0.5, .warmup = 1000};
  EXPECT_EQ(share_asked(config, 0), 1);
  EXPECT_EQ(share_asked(config, 99), 1);
  EXPECT_DOUBLE_EQ(share_asked(config, 100), 0.95);
  EXPECT_DOUBLE_EQ(share_asked(config, 500), 0.75);
  EXPECT_EQ(share_asked(config, 1000), 0.5);
  EXPECT_EQ(share_asked(config, 5000), 0.5);
  EXPECT_EQ(share_asked({.target = 0.7, .warmup = 0}, 0), 0.7);
  EXPECT_EQ(share_asked({.target = 0.7, .warmup = 50}, 49), 1);
}

// With their published biases gates are open, and the share is 1.
TEST(FlopTarget, ReportsTheShare) {
  for (const ModelConfig& model :
       {ModelConfig(tiny_edt()), ModelConfig(tiny_dit()), ModelConfig(tiny_lightning_dit())}) {
    EXPECT_FLOAT_EQ(term(step(gated(model, {.target = 0.5})).report, "flop_share"), 1)
        << model.name();
    const double less = term(step(gated(model, {.target = 0.5}, -0.5)).report, "flop_share");
    EXPECT_GT(less, 0.1) << model.name();
    EXPECT_LT(less, 0.7) << model.name();
  }
}

// First heads and groups, and no tokens: what is left of attention.
TEST(FlopTarget, OfShutGatesIsThatOfTheFirstHeads) {
  const ModelConfig model = tiny_dit();
  const double share = term(step(gated(model, {.target = 0.5}, -100)).report, "flop_share");
  // 2 heads; 64 tokens of width 16: 4 T D^2 + 2 T^2 D, and 8 T D^2.
  const double attention = 4. * 64 * 256 + 2. * 64 * 64 * 16, mlp = 8. * 64 * 256;
  EXPECT_NEAR(share, attention / 2 / (attention + mlp), 1e-6);
}

// Gates that begin half open open or shut as the target asks.
TEST(FlopTarget, TheShareIsLearnt) {
  for (const double target : {0.25, 0.9}) {
    TrainingRecipe recipe = gated(tiny_dit(), {.target = target, .weight = 20, .warmup = 0}, 0.5);
    recipe.engine.rate.initial = 3e-2;
    const double first = term(step(recipe).report, "flop_share");
    const double last = term(step(recipe, 60).report, "flop_share");
    EXPECT_LT(std::abs(last - target), std::abs(first - target) / 2) << target;
  }
}

// The second pass ends with its steps; it draws labels of its own.
TEST(FlopTarget, TheCompletePassEnds) {
  TrainingRecipe recipe = gated(tiny_dit(), {.target = 0.5}, -0.5);
  recipe.engine.objective.complete_steps = 2;
  const auto has_complete = [](const Stepped& stepped) {
    for (const auto& [name, value] : stepped.report.beside) {
      if (name == "complete_loss") return std::isfinite(value);
    }
    return false;
  };
  EXPECT_TRUE(has_complete(step(recipe, 1)));
  EXPECT_TRUE(has_complete(step(recipe, 2)));
  EXPECT_FALSE(has_complete(step(recipe, 3)));
  // From there on it is the step of a run that never had one.
  TrainingRecipe without = recipe;
  without.engine.objective.complete_steps = 0;
  EXPECT_EQ(step(recipe, 2, 2).weights, step(without, 2, 2).weights);
  EXPECT_NE(step(recipe, 2, 1).weights, step(without, 2, 1).weights);
}

// MLPs that run twice have the gates of their first time.
TEST(FlopTarget, IsTheSameWithRecomputation) {
  for (const ModelConfig& model : {ModelConfig(tiny_edt()), ModelConfig(tiny_lightning_dit())}) {
    TrainingRecipe recipe = gated(model, {.target = 0.5}, -0.5);
    recipe.engine.objective.complete_steps = 10;
    const Stepped plain = step(recipe, 2);
    recipe.engine.recompute = Recompute::kSelective;
    EXPECT_EQ(step(recipe, 2).weights, plain.weights) << model.name();
  }
}

// Draws are keyed: another seed opens other gates.
TEST(FlopTarget, DrawsByTheSeed) {
  TrainingRecipe recipe = gated(tiny_dit(), {.target = 0.5}, 0.1);
  const double first = term(step(recipe).report, "flop_share");
  EXPECT_EQ(term(step(recipe).report, "flop_share"), first);
  recipe.engine.seed = 9;
  EXPECT_NE(term(step(recipe).report, "flop_share"), first);
}

TEST(FlopTarget, WhatCannotBeIsRefused) {
  const auto refused = [](ModelConfig model) {
    model.common().gates.target = 0.5;
    return message_of<UsageError>([&] { model.validate(); });
  };
  EXPECT_THAT(refused(tiny_mdtv2()), HasSubstr("blocks of tiny MDTv2 have no gates"));
  DitConfig dit = tiny_dit();
  dit.heads = 1;
  EXPECT_THAT(refused(dit), HasSubstr("block 0 has 1 heads"));
  dit = tiny_dit();
  dit.attention.stages = {AttentionForm::kLinear};
  EXPECT_THAT(refused(dit), HasSubstr("model.attention-form makes block 0 linear"));
  dit = tiny_dit();
  dit.weights.form = WeightForm::kTernary;
  EXPECT_THAT(refused(dit), HasSubstr("model.weights is ternary"));
  TrainingRecipe recipe = gated(tiny_edt(), {.target = 0.5});
  recipe.engine.objective.masked = recipe.engine.objective.shared_noise = true;
  EXPECT_THAT(message_of<UsageError>([&] {
                check_companions(recipe.auxiliary, recipe.model, recipe.engine.objective);
              }),
              HasSubstr("train.shared-noise"));
}

}  // namespace
}  // namespace edt
