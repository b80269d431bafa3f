// The presets of E-MMDiT, what they multiply, and what is refused.
#include <gtest/gtest.h>

#include "model/emmdit/emmdit_model.h"
#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "model/plan/recording_backend.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::message_of, test::tiny_emmdit;

EmmditConfig published() { return *model_preset("E-MMDiT").as<EmmditConfig>(); }

// Multiply-accumulates of a forward pass, read off what the program does.
double macs_of(const EmmditConfig& config) {
  Recorder recorder(false);
  const auto backend = make_recording_backend(recorder);
  EmmditModel model(config, *backend, DType::kFloat32);
  std::vector<Block> memory;
  const auto tensor = [&](const Shape& shape, DType dtype = DType::kFloat32) {
    Tensor made{nullptr, shape, dtype};
    made.data = memory.emplace_back(backend->memory(), made.bytes()).data();
    return made;
  };
  for (Parameter& parameter : model.parameters().all()) parameter.value = tensor(parameter.shape);
  const LatentShape& latents = config.latents;
  ModelInputs inputs{tensor({1, latents.channels, latents.height, latents.width}), tensor({1}), {}};
  inputs.text = {tensor({1, config.text.tokens, config.text.channels}), tensor({1}, DType::kInt32)};
  Profiler profiler;
  Arena arena(backend->memory());
  Tape tape(*backend, arena, profiler, DType::kFloat32);
  const Tape::NoGrad forward_only(tape);
  recorder.clear();
  { const Var tokens = model.forward(tape, inputs); }
  tape.clear();
  return total_macs(gemms_of(recorder.take()));
}

// By the sizes alone.
double formula(const EmmditConfig& config) {
  const double d = static_cast<double>(config.width);
  const double t = static_cast<double>(config.patches().tokens());
  const double l = static_cast<double>(config.text.tokens);
  const double ratio = static_cast<double>(config.mlp_ratio);
  const double per_token = (4 + 2 * ratio) * d * d;  // of a block
  double sum = (1.25 + 1.0625) * t * d * d + (1.25 + 1.0625 + 4) * t * d * d;
  sum += 2 * t * static_cast<double>(config.patch * config.patch * config.latents.channels) * d;
  sum += l * static_cast<double>(config.text.channels) * d + 256 * d + 7 * d * d;
  for (std::int64_t block = 0; block < config.blocks(); ++block) {
    const bool is_last = block + 1 == config.blocks();
    const double tokens = static_cast<double>(config.site_after(block + 1).grid.tokens());
    sum += per_token * tokens + (is_last ? 3 * d * d : per_token) * l;
    sum +=
        2 * d * (tokens + l) * (tokens + l) / static_cast<double>(config.regions_of(block).ratio);
  }
  return sum;
}

// The compressor is (1 + 1/4) + (1 + 1/16) T D^2: its first maps see every channel of the fine
// grid once.
TEST(EmmditPresets, MultiplyAsPublished) {
  EXPECT_EQ(macs_of(published()), formula(published()));
  EXPECT_NEAR(macs_of(published()) / 1e9, 40.218, 0.0005);
  EmmditConfig all = published();
  all.regions.clear();
  EXPECT_EQ(macs_of(all), formula(all));
  EXPECT_NEAR((macs_of(all) - macs_of(published())) / 1e9, 2.88 - 1.48, 0.01);
  const EmmditConfig small = *model_preset("E-MMDiT-S").as<EmmditConfig>();
  EXPECT_EQ(macs_of(small), formula(small));
}

// Of the released constructor without the projectors of REPA and the table of positions.
TEST(EmmditPresets, HaveThePublishedParameters) {
  Recorder recorder(false);
  const auto backend = make_recording_backend(recorder);
  const EmmditModel model(published(), *backend, DType::kFloat32);
  EXPECT_EQ(model.parameters().elements(), 302'449'952);
}

TEST(EmmditPresets, CanBeCutByHeads) {
  EXPECT_EQ(published().tensor_degrees(), (std::vector<int>{1, 2, 3, 4, 6, 8, 12, 24}));
  EXPECT_EQ(published().grid_step().latents, 16);
  EmmditConfig all = published();
  all.regions.clear();
  EXPECT_EQ(all.grid_step().latents, 4);
}

TEST(EmmditConfig, RefusesWhatDoesNotFit) {
  const auto message = [](auto change) {
    EmmditConfig config = tiny_emmdit();
    change(config);
    return message_of<UsageError>([&] { config.validate(); });
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_EQ(message([](auto& c) { c.classes = 10; }),
            "[model] model.classes is 10, tiny EMMDiT reads texts and no labels: 0");
  EXPECT_EQ(message([](auto& c) { c.text.form = TextForm::kPooled; }),
            "[model] model.text-form is pooled, tiny EMMDiT reads texts as tokens of their own: "
            "leave it out");
  EXPECT_EQ(message([](auto& c) { c.modulation = ModulationForm::kFull; }),
            "[model] model.modulation is full, tiny EMMDiT has one for all blocks with tables of "
            "each: affine");
  EXPECT_EQ(message([](auto& c) { c.weights.form = WeightForm::kTernary; }),
            "[model] model.weights or model.modulation-norm is given, tiny EMMDiT has dense "
            "weights and no such norm");
  EXPECT_EQ(message([](auto& c) { c.text.tokens = 120; }),
            "[model] texts of 120 tokens cannot be dealt to 4 regions in runs of 4 "
            "(model.regions): a multiple of 16 can");
  EXPECT_EQ(
      message([](auto& c) {
        c.groups = {2, 2};
      }),
      "[model] model.depths is 2,2, tiny EMMDiT takes three numbers of blocks: before, within and "
      "behind the middle group");
  EXPECT_EQ(message([](auto& c) { c.width = 24; }),
            "[model] model.widths 24 is not a multiple of 16 (squares of 16 tokens)");
  EXPECT_EQ(message([](auto& c) { c.heads = 3; }),
            "[model] model.heads 3 does not divide model.widths 16");
  EXPECT_EQ(
      message([](auto& c) { c.latents.height = 24; }),
      "[model] model.image-size is 768, tiny EMMDiT takes multiples of 512 (VAE 32 x patch 1 x "
      "16 of squares and regions 1:1,4:1,4:4): 512 or 1024");
  EXPECT_EQ(message([](auto& c) { c.latents.height = 32; }),
            "[model] tiny EMMDiT takes square pictures, the tokens are 32 x 16");
  EXPECT_EQ(message([](auto& c) { c.position_grid = 8; }),
            "[model] model.position-grid is 8, the tokens are 16 x 16");
}

TEST(EmmditRegions, AreReadAsTheyAreWritten) {
  EXPECT_EQ(parse_regions({"1:1", "4:1", "4:4"}), published().regions);
  EXPECT_EQ(text_of(published().regions), "1:1,4:1,4:4");
  EXPECT_TRUE(parse_regions({"off"}).empty());
  EXPECT_EQ(text_of(std::vector<TokenRegions>{}), "off");
  for (const char* wrong : {"4", "4:", ":4", "0:1", "4:x", "4:4:4", "off,1:1", "-1:1", "9999:1"}) {
    EXPECT_EQ(message_of<UsageError>([&] { parse_regions({wrong}); }),
              fmt::format("[model] model.regions has '{}', expected REGIONS:RUN, 1 to 4096 each, "
                          "or off alone",
                          wrong));
  }
}

}  // namespace
}  // namespace edt
