// Pictures of whole models whose blocks have weights in 8-bit integers.
#include <gmock/gmock.h>

#include <cmath>

#include "core/cpu/cpu_backend.h"
#include "model/blocks/token_weights.h"
#include "model/plan/sampler_run.h"
#include "model/sampling/picture_sampler.h"
#include "tests/model/sampling/drawn_model.h"
#include "tests/support/tiny_models.h"

namespace edt::test {
namespace {

struct DrawnSampler {
  explicit DrawnSampler(const ModelConfig& config, DType dtype)
      : model(config, *backend, dtype), sampler(*model, *backend, dtype) {}

  std::vector<float> pictures() {
    PictureRequest request{.labels = {0, 1, 2}, .batch = 2};
    request.solver.spacing = "5";
    request.guidance.scale = 1.5;
    std::vector<float> latents(request.labels.size() * sampler.picture_elements());
    sampler.run(request, latents);
    return latents;
  }

  std::unique_ptr<Backend> backend = make_cpu_backend();
  DrawnModel model;
  PictureSampler sampler;
};

double distance_of(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, whole = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double{a[i]} - b[i], 2);
    whole += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(difference / whole);
}

TEST(Int8Pictures, AreNearThoseOfFloats) {
  for (const ModelConfig& config :
       std::vector<ModelConfig>{tiny_edt(), tiny_mdtv2(), tiny_dit(), tiny_lightning_dit()}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      DrawnSampler drawn(config, dtype);
      const auto floats = drawn.pictures();
      const auto held = quantize_token_weights(drawn.model.get()->parameters(),
                                               *weight_quantizer(*drawn.backend));
      const auto integers = drawn.pictures();
      EXPECT_NE(integers, floats) << config.name();
      EXPECT_LT(distance_of(integers, floats), 0.1) << config.name();
      EXPECT_EQ(drawn.pictures(), integers) << config.name();
    }
  }
}

TEST(Int8Pictures, QuantizeWhatTokensAreMultipliedWithAndNothingElse) {
  std::vector<std::string> names;
  for (const ModelConfig& config : std::vector<ModelConfig>{tiny_mdtv2(), tiny_lightning_dit()}) {
    const auto backend = make_cpu_backend();
    DrawnModel model(config, *backend);
    for (const Parameter& parameter : model.get()->parameters().all()) {
      if (!is_token_weight(parameter.name)) continue;
      EXPECT_EQ(parameter.shape.rank(), 2) << parameter.name;
      names.push_back(parameter.name);
    }
  }
  using testing::EndsWith;
  EXPECT_THAT(names,
              testing::IsSupersetOf({EndsWith(".attn.qkv.weight"), EndsWith(".attn.proj.weight"),
                                     EndsWith(".mlp.fc1.weight"), EndsWith(".mlp.fc2.weight"),
                                     EndsWith(".mlp.w12.weight"), EndsWith(".mlp.w3.weight"),
                                     EndsWith(".skip_linear.weight")}));
  EXPECT_FALSE(is_token_weight("final_layer.linear.weight"));
  EXPECT_FALSE(is_token_weight("blocks.0.adaLN_modulation.1.weight"));
  EXPECT_FALSE(is_token_weight("blocks.0.attn.qkv.bias"));
}

// A byte for each weight, and a scale and a sum for each row.
TEST(Int8Pictures, TheirMemoryIsPlanned) {
  PlannedSampler planned{.model = tiny_dit(), .pictures = 2};
  const std::size_t floats = dry_run_of_sampler(planned);
  planned.int8 = true;
  const std::size_t width = 16, blocks = 2, rows = 3 * width + width + 4 * width + width;
  const std::size_t values = width * (3 * width + width + 4 * width + 4 * width);
  EXPECT_EQ(dry_run_of_sampler(planned) - floats, blocks * (values + 8 * rows));
}

}  // namespace
}  // namespace edt::test
