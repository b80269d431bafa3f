// VAE-REPA as a part of a step: sizes and cost of the published heads, what it leaves alone, what
// it learns, and what is refused.
#include "model/auxiliary/latent_alignment.h"

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

using test::message_of, test::step, test::Stepped, test::term;

TrainingRecipe recipe_of(const ModelConfig& model, const LatentAlignmentConfig& latent = {}) {
  return test::recipe_beside(model, {.latent = latent});
}

// Multiply-accumulates of the head alone for one picture, forward.
double head_macs(const char* preset, const LatentAlignmentConfig& latent) {
  TrainingRecipe with = recipe_of(model_preset(preset), latent), without = with;
  without.auxiliary.latent.reset();
  const double both = total_macs(training_gemms({with})) - total_macs(training_gemms({without}));
  return both / 3 / 2;  // forward and two gradients, of two pictures
}

struct Published {
  const char* preset;
  LatentAlignmentConfig latent;
  double parameters, gmacs, share;  // of a forward pass
};

// Reported: 8M and 18M, 1M with two layers; 4 % of XL's FLOPs. What the sizes of the head were
// inferred from, in more digits than are reported: docs/companions.md.
TEST(LatentAlignment, HasThePublishedSizeAndCost) {
  const LatentAlignmentConfig two{.layers = 2};
  const auto backend = make_reference_backend();
  for (const Published& one : {Published{"SiT-B/2", {}, 8.29e6, 2.12, 0.092},
                               {"SiT-B/2", two, 1.21e6, 0.308, 0.0134},
                               {"SiT-XL/2", {}, 18.63e6, 4.77, 0.040},
                               {"LightningDiT-XL/1", {}, 18.65e6, 4.77, 0.040},
                               {"EDT-S/2", {}, 2.48e6, 0.159, 0.059},
                               {"EDT-B/2", {}, 9.81e6, 0.627, 0.061},
                               {"EDT-XL/2", {}, 22.0e6, 1.406, 0.026}}) {
    const ModelConfig config = model_preset(one.preset);
    const TrainedNetworks made = make_networks(recipe_of(config, one.latent), *backend);
    const auto parameters =
        static_cast<double>(made.model->parameters().elements_of("align.latent"));
    EXPECT_NEAR(parameters / one.parameters, 1, 0.005) << one.preset;
    const double macs = head_macs(one.preset, one.latent);
    EXPECT_NEAR(macs / 1e9 / one.gmacs, 1, 0.01) << one.preset;
    EXPECT_NEAR(macs / total_macs(forward_gemms(config, 1)) / one.share, 1, 0.03) << one.preset;
  }
}

TEST(LatentAlignment, ReadsAnEarlyBlock) {
  const auto after = [](const char* preset) {
    return LatentAlignmentConfig{}.resolved(model_preset(preset)).after;
  };
  EXPECT_EQ(after("SiT-B/2"), 2);
  EXPECT_EQ(after("SiT-L/2"), 8);
  EXPECT_EQ(after("SiT-XL/2"), 8);
  EXPECT_EQ(after("LightningDiT-B/1"), 2);
  EXPECT_EQ(after("LightningDiT-XL/1"), 8);
  EXPECT_EQ(after("MDTv2-S/2"), 2);
  EXPECT_EQ(after("EDT-S/2"), 4);
  EXPECT_EQ(after("EDT-XL/2"), 10);
  const ModelConfig edt = model_preset("EDT-S/2");
  EXPECT_EQ(edt.site_after(4, "after").grid, TokenGrid::square(8));
  EXPECT_EQ(edt.site_after(2, "after").grid, TokenGrid::square(16));
  EXPECT_EQ(edt.site_after(5, "after").grid, TokenGrid::square(4));
  EXPECT_EQ(edt.site_after(4, "after").width, 416);
}

TEST(LatentAlignment, AtWeightZeroLeavesTheNetworkAsItIs) {
  LatentAlignmentConfig latent;
  latent.course.until = 5;
  for (const ModelConfig& model : {ModelConfig(test::tiny_edt()), ModelConfig(test::tiny_dit()),
                                   ModelConfig(test::tiny_mdtv2())}) {
    test::expect_to_end_at_5(recipe_of(model, latent));
  }
}

TEST(WeightCourse, EndsAndDecays) {
  EXPECT_EQ(WeightCourse{}.factor(1000000), 1);
  const WeightCourse until{.until = 10};
  EXPECT_EQ(until.factor(9), 1);
  EXPECT_EQ(until.factor(10), 0);
  const WeightCourse decay{.decay_from = 100, .decay = 1000};
  EXPECT_EQ(decay.factor(100), 1);
  EXPECT_NEAR(decay.factor(1100), 0.1, 1e-12);
  EXPECT_NEAR(decay.factor(600), std::sqrt(0.1), 1e-12);
}

// A model that is told no noise can find the latents again.
TEST(LatentAlignment, IsLearnt) {
  LatentAlignmentConfig latent;
  latent.after = 1;
  TrainingRecipe recipe = recipe_of(test::tiny_dit(), latent);
  recipe.model.common().process = ProcessConfig::flow();
  recipe.engine.optimizer = AdamWConfig{};
  recipe.engine.rate.initial = 3e-3;
  const double before = term(step(recipe, 1).report, "align_latent");
  const double after = term(step(recipe, 300).report, "align_latent");
  // Of normal values, |x| - beta / 2 in the mean.
  EXPECT_NEAR(before, std::sqrt(2 / M_PI) - 0.025, 0.05);
  EXPECT_LT(after, 0.75 * before);
}

TEST(LatentAlignment, IsReportedBesideTheLoss) {
  const Stepped with = step(recipe_of(test::tiny_edt()));
  EXPECT_EQ(with.report.terms.size(), 2u);
  EXPECT_EQ(with.report.beside.size(), 1u);
  EXPECT_NEAR(with.report.loss, term(with.report, "mse") + term(with.report, "vb"), 1e-6);
  EXPECT_GT(term(with.report, "align_latent"), 0.5);
}

TEST(LatentAlignment, RefusesWhatItCannotRead) {
  const auto refusal = [](const ModelConfig& model, const LatentAlignmentConfig& latent,
                          bool masked = true, bool shared = false) {
    return message_of<UsageError>([&] {
      check_companions({.latent = latent}, model,
                       {.masked = masked && model.passes().masked(), .shared_noise = shared});
    });
  };
  EXPECT_EQ(refusal(test::tiny_dit(), {.after = 3}),
            "[model] align.latent.after is 3, tiny DiT has 2 blocks: 1 to 2 can be read");
  const LatentAlignmentConfig both{.pass = CompanionPass::kBoth};
  EXPECT_EQ(refusal(test::tiny_dit(), both),
            "[align] align.latent.pass is both, and train.masked is off: there is the full pass "
            "alone");
  EXPECT_EQ(refusal(test::tiny_mdtv2(), both),
            "[align] align.latent.pass is both, and the masked pass of tiny MDTv2 drops tokens: "
            "full reads the other one");
  LatentAlignmentConfig early = both;
  early.after = 1;
  EXPECT_EQ(refusal(test::tiny_edt(), early, true, true),
            "[align] align.latent.pass is both, and with train.shared-noise both passes have one "
            "block 1: block 2 is the first with tokens of the masked pass");
  EXPECT_EQ(refusal(test::tiny_edt(), early), "");
  EXPECT_EQ(refusal(test::tiny_edt(), both, true, true), "");
}

// The step itself, with all of its kinds of passes.
TEST(LatentAlignment, TrainsWithSharedNoiseAndRecomputation) {
  for (const CompanionPass pass : {CompanionPass::kFull, CompanionPass::kBoth}) {
    LatentAlignmentConfig latent;
    latent.pass = pass;
    TrainingRecipe recipe = recipe_of(test::tiny_edt(), latent);
    test::expect_the_same_with_recomputation(recipe);
    recipe.engine.objective.shared_noise = true;
    latent.after = 1;  // before the first mask: the tokens of both passes
    latent.pass = CompanionPass::kFull;
    recipe.auxiliary.latent = latent;
    EXPECT_TRUE(std::isfinite(step(recipe, 2).report.loss));
  }
}

}  // namespace
}  // namespace edt
