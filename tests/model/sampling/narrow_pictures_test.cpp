// Sampling of networks with gates: what they shut is left out, and the pictures are those of the
// network that multiplies it with 0.
#include <gmock/gmock.h>

#include "core/cpu/cpu_backend.h"
#include "core/reference/reference_backend.h"
#include "model/blocks/modules.h"
#include "model/blocks/narrow_blocks.h"
#include "model/sampling/picture_sampler.h"
#include "tests/model/sampling/drawn_model.h"
#include "tests/support/tiny_models.h"

namespace edt::test {
namespace {

ModelConfig gated(ModelConfig model) {
  model.common().gates.target = 0.5;
  return model;
}

std::vector<ModelConfig> gated_models() {
  std::vector<ModelConfig> all{tiny_edt(), tiny_dit(), of_a_flow(tiny_dit()),
                               of_a_flow(tiny_lightning_dit())};
  for (ModelConfig& one : all) one = gated(one);
  return all;
}

// Gates of a drawn model are open by half. With a bias they are all open, or all shut.
class GatedPictures {
 public:
  GatedPictures(const ModelConfig& config, std::unique_ptr<Backend> backend,
                DType dtype = DType::kFloat32, float bias = 0)
      : backend_(std::move(backend)),
        model_(config, *backend_, dtype),
        sampler(*model_, *backend_, dtype) {
    for (Parameter& parameter : (*model_).parameters().all()) {
      const bool is_bias =
          parameter.name.ends_with("router.bias") || parameter.name.ends_with("mlp_head.2.bias");
      if (bias != 0 && is_bias) backend_->fill(parameter.value, bias);
    }
  }

  std::vector<float> pictures(bool narrow, std::int64_t batch = 2,
                              std::vector<std::int32_t> labels = {0, 1, 2}) {
    PictureRequest request{.labels = std::move(labels), .batch = batch, .narrow = narrow};
    request.solver.spacing = "3";
    request.guidance.scale = 1.5;
    request.guidance.low = 0.3;
    std::vector<float> latents(request.labels.size() * sampler.picture_elements());
    sampler.run(request, latents);
    return latents;
  }
  Model& model() { return *model_; }

 private:
  std::unique_ptr<Backend> backend_;
  DrawnModel model_;

 public:
  PictureSampler sampler;
};

void expect_alike(const std::vector<float>& actual, const std::vector<float>& expected,
                  double tolerance, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    most = std::max(most, std::abs(double{actual[i]} - expected[i]));
    largest = std::max(largest, std::abs(double{expected[i]}));
  }
  EXPECT_LE(most, tolerance * largest) << what;
}

// Products that are left out are of zeros: what differs is the order of sums, what is rounded
// between products that are not fused, and in bf16 that gates near their edge decide otherwise.
TEST(NarrowPictures, AreThoseOfTheMaskedNetwork) {
  for (const ModelConfig& config : gated_models()) {
    for (const auto& [dtype, tolerance] :
         {std::pair{DType::kFloat32, 1e-5}, std::pair{DType::kBFloat16, 0.1}}) {
      GatedPictures one(config, make_cpu_backend(), dtype);
      expect_alike(one.pictures(true), one.pictures(false), tolerance, config.name());
      EXPECT_GT(one.sampler.gated_share(), 0.1) << config.name();
      EXPECT_LT(one.sampler.gated_share(), 0.9) << config.name();
    }
    GatedPictures plain(config, make_reference_backend());
    expect_alike(plain.pictures(true), plain.pictures(false), 1e-5, config.name());
  }
}

TEST(NarrowPictures, OfOpenGatesAreThoseOfTheCompleteNetwork) {
  for (const ModelConfig& config : gated_models()) {
    GatedPictures open(config, make_cpu_backend(), DType::kFloat32, 100.f);
    ModelConfig dense_config = config;
    dense_config.common().gates = {};
    GatedPictures dense(dense_config, make_cpu_backend());
    // The same weights: those of gates stand behind those of their block.
    std::size_t next = 0;
    auto& all = open.model().parameters().all();
    for (Parameter& parameter : dense.model().parameters().all()) {
      while (all[next].name != parameter.name) ++next;
      parameter.value = all[next].value;
    }
    // The rows of a product are another number, and so are the last bits.
    const auto expected = dense.pictures(true);
    expect_alike(open.pictures(true), expected, 1e-5, config.name());
    EXPECT_DOUBLE_EQ(open.sampler.gated_share(), 1) << config.name();
    expect_alike(open.pictures(false), expected, 1e-5, config.name());
  }
}

// Heads and groups but for the first, and all tokens.
TEST(NarrowPictures, OfShutGatesComputeNoMlp) {
  for (const ModelConfig& config : gated_models()) {
    GatedPictures shut(config, make_cpu_backend(), DType::kFloat32, -100.f);
    expect_alike(shut.pictures(true), shut.pictures(false), 1e-5, config.name());
    EXPECT_LT(shut.sampler.gated_share(), 0.35) << config.name();
  }
}

// How many tokens of others go through an MLP in front of those of a picture, and behind them,
// changes no bit of it.
TEST(NarrowPictures, DoNotDependOnTheirBatch) {
  for (const ModelConfig& config : gated_models()) {
    GatedPictures one(config, make_cpu_backend());
    const auto each = static_cast<std::ptrdiff_t>(one.sampler.picture_elements());
    const auto beside = [&](std::int32_t other) {
      const auto all = one.pictures(true, 3, {other, 1, other});
      return std::vector<float>(all.begin() + each, all.begin() + 2 * each);
    };
#ifdef __x86_64__
    EXPECT_EQ(beside(0), beside(2)) << config.name();
    EXPECT_EQ(beside(0), beside(3)) << config.name();
#else  // a row's last bits hang on its place in a product: which one's was not looked for
    expect_alike(beside(0), beside(2), 1e-5, config.name());
    expect_alike(beside(0), beside(3), 1e-5, config.name());
#endif
    EXPECT_EQ(one.pictures(true, 3), one.pictures(true, 3)) << config.name();
  }
}

// Nor does it of a token alone, whose product would be summed in another order than that of several
// (oneDNN's, of fewer than four rows).
TEST(NarrowBlocks, GiveATokenTheBitsThatItHasAmongOthers) {
  constexpr std::int64_t kTokens = 48, kWidth = 24;
  const auto backend = make_cpu_backend();
  ParameterList list;
  const FeedForward mlp = FeedForward::make(list, "mlp", kWidth, 4 * kWidth, MlpForm::kGelu, {});
  const std::vector<Block> memory = draw(list, *backend, DType::kFloat32, 0);
  Arena arena(backend->memory());
  Profiler profiler;
  Tape tape(*backend, arena, profiler, DType::kFloat32);
  const Var x = tape.make({2, kTokens, kWidth});
  std::vector<float> values(2 * kTokens * kWidth);
  random::fill_normal({.seed = 1}, values);
  backend->upload_floats(values, x.tensor());

  NarrowBlocks narrow(*backend);
  const auto first_of = [&](std::size_t open_tokens) {
    std::vector<float> open(2 * kTokens);
    std::fill_n(open.begin(), open_tokens, 1.f);
    const Var gates = tape.make({2, kTokens});
    backend->upload_floats(open, gates.tensor());
    std::vector<float> made(values.size());
    backend->download(narrow.mlp_of(tape, mlp, x, gates).tensor(), made.data());
    EXPECT_TRUE(
        std::ranges::all_of(made.begin() + kWidth * static_cast<std::ptrdiff_t>(open_tokens),
                            made.end(), [](float value) { return value == 0; }))
        << open_tokens;
    made.resize(kWidth);
    return made;
  };
  const std::vector<float> alone = first_of(1);
  EXPECT_EQ(first_of(2), alone);
  EXPECT_EQ(first_of(70), alone);  // more than one product takes
}

// Weights that change between calls, as between the sample grids of a run.
TEST(NarrowPictures, FollowTheWeights) {
  GatedPictures one(gated(tiny_edt()), make_cpu_backend());
  const auto before = one.pictures(true);
  for (Parameter& parameter : one.model().parameters().all()) {
    if (!parameter.name.ends_with("fc2.weight")) continue;
    for (float& value : parameter.value.span<float>()) value *= 2;
  }
  const auto after = one.pictures(true);
  EXPECT_NE(after, before);
  expect_alike(after, one.pictures(false), 1e-5, "fc2 twice as large");
}

}  // namespace
}  // namespace edt::test
