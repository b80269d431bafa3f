// Options of the model: what follows from one is told in terms of that one.
#include <gmock/gmock-matchers.h>

#include "launcher/recipe/train_config.h"
#include "tests/support/message_of.h"

namespace edt::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal_of(const ModelOptions& options) {
  return message_of<UsageError>([&] { (void)options.resolve(10); });
}

TEST(ModelOptions, SizesThatDoNotFitAreAnsweredWithThoseThatDo) {
  EXPECT_EQ(
      refusal_of({.preset = "EDT-Ti/2", .image_size = 72}),
      "[model] model.image-size is 72, EDT-Ti/2 takes multiples of 64 (VAE 8 x patch 2 x 4 of "
      "2 down-samplings): 64 or 128");
  EXPECT_THAT(refusal_of({.preset = "EDT-Ti/2", .image_size = 16}), HasSubstr("is 16"));
  EXPECT_THAT(refusal_of({.preset = "EDT-Ti/2", .image_size = 16}), HasSubstr("): 64"));
  EXPECT_THAT(refusal_of({.preset = "EDT-Ti/2", .image_size = 70}), HasSubstr("is 70"));
  EXPECT_THAT(refusal_of({.preset = "DiT-S/2", .image_size = 72}),
              HasSubstr("(VAE 8 x patch 2): 64 or 80"));
  EXPECT_THAT(refusal_of({.preset = "MDTv2-S/2", .image_size = 256, .patch = 3}),
              HasSubstr("takes multiples of 24 (VAE 8 x patch 3): 240 or 264"));
  EXPECT_EQ(refusal_of({.preset = "EDT-Ti/2", .image_size = 64}), "");
}

// What sides pictures may have follows from the options of the family, not from the preset's.
TEST(ModelOptions, SizesGoByTheRegionsThatAreAsked) {
  const auto with = [](std::vector<std::string> regions) {
    ModelOptions options{
        .preset = "E-MMDiT-S", .image_size = 128, .modulation = ModulationForm::kAffine};
    std::get<EmmditFamily::Options>(options.of_family).regions = std::move(regions);
    return options;
  };
  EXPECT_EQ(refusal_of(with({"off"})), "");
  EXPECT_EQ(refusal_of(with({"1:1"})), "");
  EXPECT_THAT(refusal_of(with({})), HasSubstr("takes multiples of 512"));
  EXPECT_THAT(refusal_of(with({"4:1"})), HasSubstr("takes multiples of 256"));
  EXPECT_THAT(refusal_of(with({"4093:1", "4091:1", "4079:1"})),
              HasSubstr("model.regions is 4093:1,4091:1,4079:1: sides of"));
}

TEST(ModelOptions, TheModulationMatrixGoesByThePicture) {
  const auto form = [](std::int64_t side) {
    return ModelOptions{.preset = "EDT-S/2", .image_size = side}
        .resolve(10)
        .as<EdtConfig>()
        ->amm_form();
  };
  EXPECT_EQ(form(256), AmmForm::kExp);
  EXPECT_EQ(form(512), AmmForm::kCosine);
}

TEST(ModelOptions, WidthsAndHeadsAreNamed) {
  EXPECT_THAT(
      refusal_of({.preset = "EDT-Ti/2", .sizes = {.heads = {{2, 5, 4, 3, 2}}}}),
      HasSubstr("model.heads has 5 for stage 1, which does not divide its 156 of model.widths"));
  EXPECT_THAT(refusal_of({.preset = "DiT-S/2", .sizes = {.heads = {{5}}}}),
              HasSubstr("model.heads 5 does not divide model.widths 384"));
}

// Without data, the latents that a preset was published with.
TEST(ModelOptions, LatentsAreThoseOfThePreset) {
  const ModelConfig published = ModelOptions{.preset = "LightningDiT-B/1"}.resolve(10);
  EXPECT_EQ(published.latents(), (LatentShape{32, 16, 16, 16}));
  const ModelConfig changed =
      ModelOptions{.preset = "LightningDiT-B/1", .channels = 4, .vae_factor = 8}.resolve(10);
  EXPECT_EQ(changed.latents(), (LatentShape{4, 32, 32, 8}));
}

TEST(ModelOptions, StylesOfBlocks) {
  const auto with = [](const DitFamily::Options& own, SizeOptions sizes = {}) {
    ModelOptions options{.preset = "DiT-S/2", .sizes = std::move(sizes)};
    std::get<DitFamily::Options>(options.of_family) = own;
    return options;
  };
  const auto style = [&](const DitFamily::Options& own) {
    return with(own).resolve(10).as<DitConfig>()->style;
  };
  EXPECT_EQ(style({}), BlockStyle{});
  EXPECT_EQ(style({.norm = NormForm::kRms}), BlockStyle{.norm = NormForm::kRms});
  EXPECT_EQ(style({.head_norm = HeadNorm::kLayer, .shifts = false}),
            (BlockStyle{.head_norm = HeadNorm::kLayer, .shifts = false}));
  EXPECT_THAT(refusal_of(with({.positions = Positions::kBoth}, {.heads = {{64}}})),
              HasSubstr("model.positions is sincos+rope, heads of 6 elements (model.widths 384, "
                        "model.heads 64) cannot be turned by row and by column"));
}

TEST(ModelOptions, APresetOfOtherDepthsKeepsItsModulation) {
  const auto flat = [](const char* preset, const EdtFamily::Options& own) {
    ModelOptions options{.preset = preset, .sizes = {.depths = {{1, 1, 1, 1, 1}}}};
    std::get<EdtFamily::Options>(options.of_family) = own;
    return options;
  };
  const auto amm = [&](const char* preset, const EdtFamily::Options& own) {
    return flat(preset, own).resolve(10).as<EdtConfig>()->amm_blocks;
  };
  EXPECT_THAT(amm("EDT-S/2", {}), ElementsAre(3, 4));
  EXPECT_THAT(amm("EDT-XL/2", {}), ElementsAre(4));
  EXPECT_THAT(amm("EDT-S/2", {.amm_blocks = {{0}}}), ElementsAre(0));
  EXPECT_THAT(refusal_of(flat("EDT-S/2", {.amm_blocks = {{7}}})),
              HasSubstr("model.amm-blocks names block 7, the model has 5: 0 to 4"));
  EXPECT_EQ(refusal_of(flat("EDT-S/2", {.mid_mask = true})), "");
}

ModelOptions with_attention(const char* preset, std::vector<std::string> forms,
                            LinearAttentionConfig of_linear = {}) {
  ModelOptions options{.preset = preset};
  options.attention = std::move(forms);
  options.of_linear = of_linear;
  return options;
}

TEST(ModelOptions, LinearAttentionByStage) {
  const auto config =
      with_attention("EDT-S/2", {"linear", "softmax", "softmax", "softmax", "linear"}).resolve(10);
  const AttentionConfig& attention = config.common().attention;
  EXPECT_NE(attention.linear(0), nullptr);
  EXPECT_EQ(attention.linear(1), nullptr);
  EXPECT_NE(attention.linear(4), nullptr);
  // Of the preset's blocks 7 and 10 the second lies in the last stage.
  EXPECT_THAT(config.as<EdtConfig>()->amm_blocks, ElementsAre(7));
  EXPECT_EQ(refusal_of(with_attention("DiT-S/2", {"linear"})), "");
}

TEST(ModelOptions, LinearAttentionIsRefusedByBothNames) {
  EXPECT_THAT(refusal_of(with_attention("EDT-S/2", {"linear", "softmax"})),
              HasSubstr("model.attention-form has 2 stages, the model 5"));
  EXPECT_THAT(refusal_of(with_attention("DiT-S/2", {"linear"}, {.narrowing = 5})),
              HasSubstr("model.attention-narrowing is 5, which does not divide the width 384 of "
                        "stage 0"));
  EXPECT_THAT(refusal_of(with_attention("DiT-S/2", {"linear"}, {.narrowing = 4, .groups = 5})),
              HasSubstr("model.attention-groups is 5, which does not divide the 96 channels that "
                        "model.attention-narrowing 4 leaves of stage 0"));
  EXPECT_THAT(refusal_of(with_attention("DiT-S/2", {"linear"}, {.stride = 17})),
              HasSubstr("model.attention-stride is 17, the grid of stage 0 has 16 x 16 tokens"));
  EXPECT_EQ(refusal_of(with_attention("DiT-S/2", {"linear"}, {.stride = 16})), "");
  EXPECT_THAT(
      refusal_of(with_attention("EDT-S/2", {"softmax", "softmax", "linear", "softmax", "softmax"},
                                {.stride = 8})),
      HasSubstr("model.attention-stride is 8, the grid of stage 2 has 4 x 4 tokens"));
  EXPECT_THAT(refusal_of(with_attention("MDTv2-S/2", {"linear"})),
              HasSubstr("model.attention-form linear needs the whole grid of tokens, and MDTv2-S/2 "
                        "drops some of them"));
  EXPECT_THAT(refusal_of(with_attention("LightningDiT-S/1", {"linear"})),
              HasSubstr("model.positions is sincos+rope, and model.attention-form linear"));
  ModelOptions normed = with_attention("DiT-S/2", {"linear"});
  std::get<DitFamily::Options>(normed.of_family).head_norm = HeadNorm::kRms;
  EXPECT_THAT(refusal_of(normed),
              HasSubstr("model.qk-norm is rms, and model.attention-form linear"));
  ModelOptions modulated =
      with_attention("EDT-S/2", {"softmax", "softmax", "softmax", "softmax", "linear"});
  std::get<EdtFamily::Options>(modulated.of_family).amm_blocks = {{7, 10}};
  EXPECT_THAT(refusal_of(modulated),
              HasSubstr("model.amm-blocks names block 10, and model.attention-form makes its stage "
                        "4 linear"));
}

TEST(ModelOptions, SpatialLayersAreRefusedByBothNames) {
  const auto with = [](const char* preset, SpatialConfig spatial) {
    ModelOptions options{.preset = preset};
    options.spatial = spatial;
    return options;
  };
  EXPECT_EQ(refusal_of(with("LightningDiT-S/1", {.form = SpatialForm::kComplex})), "");
  EXPECT_EQ(refusal_of(with("DiT-S/2", {.directions = 3})), "");  // off: it says nothing
  EXPECT_THAT(refusal_of(with("DiT-S/2", {.form = SpatialForm::kReal, .directions = 3})),
              HasSubstr("model.spatial-directions is 3, expected 2 or 4"));
  EXPECT_THAT(refusal_of(with("EDT-S/2", {.form = SpatialForm::kReal, .groups = 5})),
              HasSubstr("model.spatial-groups is 5, which does not divide the width 312 of stage "
                        "0"));
  EXPECT_THAT(refusal_of(with("MDTv2-S/2", {.form = SpatialForm::kReal})),
              HasSubstr("model.spatial-layer real needs the whole grid of tokens, and MDTv2-S/2 "
                        "drops some of them"));
}

}  // namespace
}  // namespace edt::test
