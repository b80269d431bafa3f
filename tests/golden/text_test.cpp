// A DiT with cross-attention to texts and PixArt's modulation against values of the diffusers
// library's PixArt class, with the published objective of a DiT. Tolerances as in models_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "tests/golden/golden_cases.h"

namespace edt::test {
namespace {

constexpr auto kTerms = static_cast<std::size_t>(LossCoefficient::kCount);

// Names of our parameters beside those of the file; several parts lie one behind the other.
using Names = std::map<std::string, std::vector<std::string>>;

void add_layer(Names& names, const std::string& ours, const std::vector<std::string>& theirs) {
  for (const char* kind : {".weight", ".bias"}) {
    for (const std::string& one : theirs) names[ours + kind].push_back(one + kind);
  }
}

Names names_of(std::int64_t blocks) {
  Names names;
  const std::string time = "adaln_single.emb.timestep_embedder.linear_";
  add_layer(names, "x_embedder.proj", {"pos_embed.proj"});
  add_layer(names, "t_embedder.mlp.0", {time + "1"});
  add_layer(names, "t_embedder.mlp.2", {time + "2"});
  add_layer(names, "modulation.adaLN_modulation.1", {"adaln_single.linear"});
  add_layer(names, "y_embedder.y_proj.fc1", {"caption_projection.linear_1"});
  add_layer(names, "y_embedder.y_proj.fc2", {"caption_projection.linear_2"});
  add_layer(names, "final_layer.linear", {"proj_out"});
  names["scale_shift_table"] = {"scale_shift_table"};
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::string ours = "blocks." + std::to_string(b),
                      theirs = "transformer_blocks." + std::to_string(b);
    const std::string self = theirs + ".attn1.", cross = theirs + ".attn2.";
    add_layer(names, ours + ".attn.qkv", {self + "to_q", self + "to_k", self + "to_v"});
    add_layer(names, ours + ".attn.proj", {self + "to_out.0"});
    add_layer(names, ours + ".cross_attn.q_linear", {cross + "to_q"});
    add_layer(names, ours + ".cross_attn.kv_linear", {cross + "to_k", cross + "to_v"});
    add_layer(names, ours + ".cross_attn.proj", {cross + "to_out.0"});
    add_layer(names, ours + ".mlp.fc1", {theirs + ".ff.net.0.proj"});
    add_layer(names, ours + ".mlp.fc2", {theirs + ".ff.net.2"});
    names[ours + ".scale_shift_table"] = {theirs + ".scale_shift_table"};
  }
  return names;
}

DitConfig config_of(const GoldenFile& file) {
  const auto number = [&](const char* name) {
    return static_cast<std::int64_t>(file.number("/", name));
  };
  DitConfig config;
  config.name = "golden";
  config.depth = number("num_layers");
  config.width = number("hidden_size");
  config.heads = number("num_heads");
  config.latents = LatentShape::square(number("input_size"));
  config.patch = number("patch_size");
  config.classes = 0;
  config.modulation = ModulationForm::kSingle;
  config.text = {.form = TextForm::kCross,
                 .tokens = number("text_tokens"),
                 .channels = number("caption_channels")};
  return config;
}

class TextGolden : public GoldenTest {
 protected:
  void begin() override {
    config_ = config_of(file_);
    names_ = names_of(config_.depth);
    arena_.emplace(backend_->memory());
    tape_.emplace(*backend_, *arena_, profiler_, GetParam().dtype);
    model_ = make_model(ModelConfig(config_), *backend_, GetParam().dtype);
    for (Parameter& parameter : model_->parameters().all()) {
      parameter.value = tensor(joined("/params/", parameter.name), parameter.shape, tape_->dtype());
      parameter.grad =
          tensor(joined("/params/", parameter.name), parameter.shape, tape_->accurate_dtype());
    }
    read_inputs();
  }

  std::vector<float> joined(const std::string& group, const std::string& name) const {
    std::vector<float> all;
    for (const std::string& part : names_.at(name)) {
      const auto values = file_.read<float>(group + part);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  Tensor tensor(const std::vector<float>& values, const Shape& shape, DType dtype) {
    Tensor to{nullptr, shape, dtype};
    to.data = memory_.emplace_back(backend_->memory(), to.bytes()).data();
    backend_->upload_floats(values, to);
    return to;
  }
  Tensor floats(const std::vector<float>& values, const Shape& shape) {
    return tensor(values, shape, DType::kFloat32);
  }
  Tensor integers(const std::vector<std::int32_t>& values) {
    Tensor to{nullptr, {static_cast<std::int64_t>(values.size())}, DType::kInt32};
    to.data = memory_.emplace_back(backend_->memory(), to.bytes()).data();
    backend_->upload(values.data(), to);
    return to;
  }
  std::vector<float> host(const Tensor& from) {
    std::vector<float> values(static_cast<std::size_t>(from.elements()));
    const Block block(backend_->memory(), values.size() * sizeof(float));
    const Tensor accurate{block.data(), from.shape, DType::kFloat32};
    backend_->copy(from, accurate);
    backend_->download(accurate, values.data());
    return values;
  }

  // Where the text was dropped the null text and its length stand; `padding` behind the last token.
  void read_inputs(float padding = 0) {
    const auto steps = file_.read<double>("/inputs/t");
    const auto lengths = file_.read<std::int64_t>("/inputs/text_length");
    const auto dropped = file_.read<std::int64_t>("/inputs/text_dropped");
    auto text = file_.read<float>("/inputs/text");
    const auto null = file_.read<float>("/inputs/null_text");
    const auto null_length = file_.read<std::int64_t>("/inputs/null_length")[0];
    batch_ = static_cast<std::int64_t>(steps.size());
    std::vector<std::int32_t> tokens;
    for (std::size_t b = 0; b < lengths.size(); ++b) {
      float* const row = text.data() + b * null.size();
      if (dropped[b] != 0) std::ranges::copy(null, row);
      const std::int64_t length = dropped[b] != 0 ? null_length : lengths[b];
      tokens.push_back(static_cast<std::int32_t>(length));
      std::fill(row + length * config_.text.channels, row + null.size(), padding);
    }
    std::vector<float> told;
    for (const double step : steps) {
      steps_.push_back(static_cast<std::int32_t>(step));
      told.push_back(static_cast<float>(step));
    }
    const Shape image{batch_, config_.latents.channels, config_.latents.height,
                      config_.latents.width};
    loss_inputs_.x_start = floats(file_.read<float>("/inputs/x_start"), image);
    loss_inputs_.noise = floats(file_.read<float>("/inputs/noise"), image);
    loss_inputs_.x_t = floats(file_.read<float>("/expected/x_t"), image);
    inputs_ = {
        loss_inputs_.x_t,
        floats(told, {batch_}),
        integers(std::vector<std::int32_t>(steps.size(), 0)),
        {},
        {floats(text, {batch_, config_.text.tokens, config_.text.channels}), integers(tokens)}};
  }

  std::vector<std::size_t> without_gradient(const std::vector<float>& coefficients) const;

  std::vector<float> output() {
    const Tape::NoGrad inference(*tape_);
    const auto expected = file_.shape("/expected/output_train");
    const Shape shape{expected[0], expected[1], expected[2], expected[3]};
    const Tensor out =
        floats(std::vector<float>(static_cast<std::size_t>(shape.elements())), shape);
    {
      const Var tokens = model_->forward(*tape_, inputs_);
      backend_->unpatchify(tokens.tensor(), config_.patch, out);
    }
    tape_->clear();
    return host(out);
  }

  // What the network gives, in memory that stays.
  Tensor tokens_now() {
    Tensor given;
    {
      const Tape::NoGrad inference(*tape_);
      const Var tokens = model_->forward(*tape_, inputs_);
      given = tensor(host(tokens.tensor()), tokens.shape(), tape_->dtype());
    }
    tape_->clear();
    return given;
  }

  DitConfig config_;
  Names names_;
  Profiler profiler_;
  std::vector<Block> memory_;
  std::optional<Arena> arena_;
  std::optional<Tape> tape_;
  std::unique_ptr<Model> model_;
  ModelInputs inputs_;
  LossInputs loss_inputs_;
  std::vector<std::int32_t> steps_;
  std::int64_t batch_ = 0;
};

TEST_P(TextGolden, Outputs) {
  expect_close(output(), "/expected/output_train", GetParam().output_tolerance);
}

TEST_P(TextGolden, WhatStandsBehindATextChangesNoBit) {
  const std::vector<float> before = output();
  read_inputs(7.5f);
  EXPECT_EQ(output(), before);
}

// The probability of a level at t = 0, as published: a difference of two values of the normal
// distribution function, which in float32 is 0 where both are 1. It is clamped then, and has no
// gradient; ours has, as it is computed in double. So such elements of the file's pictures are
// told apart here, by the published formula in float32.
float distribution(float x) {
  const float inner = std::sqrt(2.f / 3.14159265f) * (x + 0.044715f * x * x * x);
  return 0.5f * (1.f + std::tanh(inner));
}

bool vanishes_in_float32(const std::array<float, kTerms>& c, float x_start, float x_t, float noise,
                         float place) {
  const float origin = c[LossCoefficient::kSqrtRecipAlphaBar] * x_t -
                       c[LossCoefficient::kSqrtRecipM1AlphaBar] * noise;
  const float mean =
      c[LossCoefficient::kPosteriorMean1] * origin + c[LossCoefficient::kPosteriorMean2] * x_t;
  const float share = (place + 1) / 2;
  const float log_variance = share * c[LossCoefficient::kLogVarianceMax] +
                             (1 - share) * c[LossCoefficient::kLogVarianceMin];
  const float scale = std::exp(-0.5f * log_variance), from_mean = x_start - mean;
  const bool is_end = x_start < -0.999f || x_start > 0.999f;
  return !is_end && distribution(scale * (from_mean + 1.f / 255)) -
                            distribution(scale * (from_mean - 1.f / 255)) <
                        1e-12f;
}

// Where tokens [B, T, p*p*2C] place the variance of those elements of pictures at t = 0.
std::vector<std::size_t> TextGolden::without_gradient(
    const std::vector<float>& coefficients) const {
  const auto x_start = file_.read<float>("/inputs/x_start"),
             x_t = file_.read<float>("/expected/x_t");
  const auto output = file_.read<float>("/expected/output_train");
  const auto channels = static_cast<std::size_t>(config_.latents.channels),
             side = static_cast<std::size_t>(config_.latents.width),
             patch = static_cast<std::size_t>(config_.patch), plane = side * side;
  std::vector<std::size_t> found;
  for (std::size_t b = 0; b < steps_.size(); ++b) {
    std::array<float, kTerms> own;
    std::copy_n(coefficients.begin() + static_cast<std::ptrdiff_t>(b * kTerms), kTerms,
                own.begin());
    if (own[LossCoefficient::kIsFirstStep] == 0) continue;
    for (std::size_t i = 0; i < channels * plane; ++i) {
      const std::size_t at = b * channels * plane + i, noise = at + b * channels * plane;
      if (!vanishes_in_float32(own, x_start[at], x_t[at], output[noise],
                               output[noise + channels * plane])) {
        continue;
      }
      const std::size_t channel = i / plane, y = i % plane / side, x = i % side;
      const std::size_t token = (b * side / patch + y / patch) * (side / patch) + x / patch;
      const std::size_t element = (y % patch * patch + x % patch) * 2 * channels;
      found.push_back(token * patch * patch * 2 * channels + element + channels + channel);
    }
  }
  return found;
}

TEST_P(TextGolden, LossesAndAllGradients) {
  const Process& process = model_->process();
  std::vector<float> coefficients(steps_.size() * kTerms);
  process.schedule()->loss_coefficients(steps_, file_.number("/", "snr_gamma"), coefficients);
  loss_inputs_.patch = config_.patch;
  loss_inputs_.coefficients = floats(coefficients, {batch_, LossCoefficient::kCount});
  const std::vector<float> ones(steps_.size(), 1.f);
  loss_inputs_.sample_weights = floats(ones, {batch_});
  const Tensor mse = floats(ones, {batch_}), vb = floats(ones, {batch_});
  std::vector<float> gradient;
  {
    const Var leaf = tape_->leaf(tokens_now(), true);
    tape_->backward(diffusion_loss(*tape_, leaf, loss_inputs_, mse, vb));
    gradient = host(tape_->grad_of(leaf));
  }
  tape_->clear();
  const std::vector<std::size_t> vanished = without_gradient(coefficients);
  // Few: how many there are is a matter of the file's noise, and that they are the right ones, of
  // the gradients below.
  EXPECT_LE(vanished.size(), gradient.size() / 100);
  for (const std::size_t element : vanished) gradient[element] = 0;
  {
    const Var tokens = model_->forward(*tape_, inputs_);
    backend_->copy(tensor(gradient, tokens.shape(), tape_->dtype()),
                   tape_->target(tokens.grad()).tensor);
    tape_->backward();
  }
  tape_->clear();
  expect_close(host(mse), "/expected/mse", GetParam().output_tolerance);
  const auto bound = file_.read<float>("/expected/vb");
  for (std::size_t b = 0; b < bound.size(); ++b) {
    const double tolerance = steps_[b] == 0 ? 1e-2 : GetParam().output_tolerance;
    EXPECT_NEAR(host(vb)[b] / bound[b], 1, std::max(tolerance, 1e-5)) << b;
  }
  std::size_t tensors = 0;
  for (const Parameter& parameter : model_->parameters().all()) {
    EXPECT_LE(relative_error(host(parameter.grad), joined("/grads/", parameter.name)),
              GetParam().gradient_tolerance)
        << parameter.name;
    tensors += names_.at(parameter.name).size();
  }
  EXPECT_EQ(tensors, file_.names("/grads").size());
}

std::vector<GoldenPart> text_parts() {
  std::vector<GoldenPart> all;
  for (const std::string& file : golden_models("pixart")) all.push_back({file});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, TextGolden, testing::ValuesIn(on_host(text_parts())));
INSTANTIATE_TEST_SUITE_P(Cuda, TextGolden, testing::ValuesIn(on_gpu(text_parts())));

}  // namespace
}  // namespace edt::test
