#include "tests/golden/emmdit_run.h"

#include <algorithm>

namespace edt::test {
namespace {

std::vector<std::int64_t> as_integers(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

// Those of samples whose text is dropped are the null text.
std::vector<float> seen_texts(const GoldenFile& file) {
  std::vector<float> text = file.read<float>("/inputs/text");
  const auto null_text = file.read<float>("/inputs/null_text");
  const auto dropped = file.read<std::int64_t>("/inputs/text_dropped");
  for (std::size_t b = 0; b < dropped.size(); ++b) {
    if (dropped[b] == 0) continue;
    std::ranges::copy(null_text, text.begin() + static_cast<std::ptrdiff_t>(b * null_text.size()));
  }
  return text;
}

}  // namespace

EmmditConfig emmdit_config(const GoldenFile& file) {
  const auto number = [&](const char* name) {
    return static_cast<std::int64_t>(file.number("/", name));
  };
  EmmditConfig config;
  config.name = "golden";
  config.groups = as_integers(file.numbers("/", "stages"));
  config.width = number("hidden_size");
  config.heads = number("num_heads");
  config.mlp_ratio = number("mlp_ratio");
  config.patch = number("patch_size");
  config.latents = LatentShape::square(number("input_size"));
  config.latents.channels = number("in_channels");
  config.position_grid = number("pos_embed_max_size");
  config.text.tokens = number("text_tokens");
  config.text.channels = number("caption_channels");
  if (number("sub_attention") == 0) config.regions.clear();
  if (file.text("/", "qk_norm") == "none") config.head_norm = HeadNorm::kNone;
  return config;
}

EmmditRun::EmmditRun(const GoldenFile& file, Backend& backend, DType dtype, TensorGroup ranks)
    : backend_(backend),
      config_(emmdit_config(file)),
      golden_(file, config_, backend, dtype, ranks),
      x_start_(file.read<float>("/inputs/x_start")),
      noise_(file.read<float>("/inputs/noise")),
      sigma_(file.read<float>("/inputs/sigma")),
      text_(seen_texts(file)) {
  const std::size_t sample = x_start_.size() / sigma_.size();
  for (std::size_t i = 0; i < x_start_.size(); ++i) {
    const float sigma = sigma_[i / sample];
    x_t_.push_back((1 - sigma) * x_start_[i] + sigma * noise_[i]);
  }
  if (file.number("/", "repa") != 0) add_features(file);
}

void EmmditRun::add_features(const GoldenFile& file) {
  const std::size_t first = golden_.model().parameters().all().size();
  FeatureAlignmentConfig config;
  config.projector = static_cast<std::int64_t>(file.number("/", "projector_dim"));
  config.arrays = {{"features", static_cast<std::int64_t>(file.number("/", "repa_dim"))}};
  alignment_ = std::make_unique<FeatureAlignment>(config, golden_.config(), golden_.model());
  golden_.load(file, first, "/params/");
  repa_weight_ = file.number("/", "repa_weight");
  features_ = file.read<float>("/inputs/repa_features");
}

Tensor EmmditRun::accurate(const std::vector<float>& values, const Shape& shape) {
  return golden_.tensor(values, shape, golden_.tape().accurate_dtype());
}

Shape EmmditRun::image_shape(std::int64_t rows) const {
  return {rows, config_.latents.channels, config_.latents.height, config_.latents.width};
}

Var EmmditRun::value(const std::vector<float>& values, const Shape& shape) {
  return golden_.tape().leaf(golden_.tensor(values, shape, golden_.tape().dtype()));
}

Tensor EmmditRun::told(const std::vector<float>& sigma) {
  std::vector<float> times;
  for (const float one : sigma) times.push_back(golden_.model().process().told(double{one}));
  return accurate(times, {static_cast<std::int64_t>(times.size())});
}

Tensor EmmditRun::texts(const std::vector<float>& features) {
  const std::int64_t tokens = config_.text.tokens, channels = config_.text.channels;
  const auto rows = static_cast<std::int64_t>(features.size()) / (tokens * channels);
  return golden_.tensor(features, {rows, tokens, channels}, DType::kFloat32);
}

ModelInputs EmmditRun::inputs(const std::vector<float>& x, const std::vector<float>& sigma,
                              const std::vector<float>& text) {
  const auto rows = static_cast<std::int64_t>(sigma.size());
  ModelInputs all{accurate(x, image_shape(rows)), told(sigma), {}};
  all.text = {
      texts(text),
      golden_.integers(std::vector<std::int64_t>(sigma.size(), config_.text.tokens), {rows})};
  return all;
}

Var EmmditRun::flow_loss(const Var& tokens, const Tensor& losses) {
  Tape& tape = golden_.tape();
  std::vector<float> mix;
  for (const float sigma : sigma_) {
    const auto [of_origin, of_noise] = golden_.model().process().target(double{sigma});
    mix.push_back(static_cast<float>(of_origin));
    mix.push_back(static_cast<float>(of_noise));
  }
  const Tensor ones = accurate(std::vector<float>(sigma_.size(), 1.f), {batch()});
  const Var target = tape.make(tokens.shape(), tape.accurate_dtype());
  backend_.noise_target(accurate(x_start_, image_shape(batch())),
                        accurate(noise_, image_shape(batch())), accurate(mix, {batch(), 2}),
                        config_.patch, target.tensor());
  return token_loss(tape, tokens, {target, ones, ones}, losses);
}

Var EmmditRun::feature_loss(const Var& projected, const Tensor& losses) {
  Tape& tape = golden_.tape();
  const Tensor ones = accurate(std::vector<float>(sigma_.size(), 1.f), {batch()});
  const Var target = tape.leaf(accurate(features_, projected.shape()));
  return token_loss(tape, projected,
                    {target, ones, ones, {Distance::kDirection, projected.shape()[2]}}, losses);
}

GoldenValues EmmditRun::step() {
  Tape& tape = golden_.tape();
  const Tensor losses = accurate(std::vector<float>(sigma_.size()), {batch()});
  const Tensor cosines = accurate(std::vector<float>(sigma_.size()), {batch()});
  Taps taps({1, config_.groups[0]});
  ModelInputs seen = inputs(x_t_, sigma_, text_);
  seen.hooks.taps = &taps;
  GoldenValues values;
  {
    const Var tokens = golden_.model().forward(tape, seen);
    values["tokens_train"] = golden_.host(tokens.tensor());
    values["block0_tokens"] = golden_.host(taps.tokens(tape, 1, batch()).tensor());
    const auto seed = [&](const Var& mean, double weight) {
      backend_.fill(tape.target(mean.grad()).tensor, weight);
      return golden_.host(mean.tensor())[0];
    };
    const Var flow = flow_loss(tokens, losses);
    values["diffusion_loss"] = {seed(flow, 1)};
    values["mse"] = golden_.host(losses);
    Var features;
    if (has_features()) {
      const Var projected =
          alignment_->project(tape, 0, taps.tokens(tape, config_.groups[0], batch()));
      values["repa_projection"] = golden_.host(projected.tensor());
      features = feature_loss(projected, cosines);
      // The published one is -cos.
      const float repa = seed(features, repa_weight_) - 1;
      values["repa_loss"] = {repa};
      values["total_loss"] = {values["diffusion_loss"][0] +
                              static_cast<float>(repa_weight_) * repa};
    }
    taps.clear();
    tape.backward();
  }
  tape.clear();
  return values;
}

std::vector<float> EmmditRun::velocity(const std::vector<float>& x, double sigma,
                                       const std::vector<float>& texts) {
  Tape& tape = golden_.tape();
  const Tape::NoGrad inference(tape);
  const auto rows =
      static_cast<std::size_t>(static_cast<std::int64_t>(x.size()) / config_.latents.elements());
  const Tensor out = accurate(x, image_shape(static_cast<std::int64_t>(rows)));
  {
    const std::vector<float> times(rows, static_cast<float>(sigma));
    const Var tokens = golden_.model().forward(tape, inputs(x, times, texts));
    backend_.unpatchify(tokens.tensor(), config_.patch, out);
  }
  tape.clear();
  return golden_.host(out);
}

std::vector<float> EmmditRun::output() {
  Tape& tape = golden_.tape();
  const Tape::NoGrad inference(tape);
  const Tensor out = accurate(x_t_, image_shape(batch()));
  {
    const Var tokens = golden_.model().forward(tape, inputs(x_t_, sigma_, text_));
    backend_.unpatchify(tokens.tensor(), config_.patch, out);
  }
  tape.clear();
  return golden_.host(out);
}

std::map<std::int64_t, std::vector<float>> EmmditRun::tokens_after(
    const std::vector<std::int64_t>& blocks) {
  Tape& tape = golden_.tape();
  const Tape::NoGrad inference(tape);
  Taps taps(blocks);
  std::map<std::int64_t, std::vector<float>> values;
  {
    ModelInputs seen = inputs(x_t_, sigma_, text_);
    seen.hooks.taps = &taps;
    golden_.model().forward(tape, seen);
    for (const std::int64_t after : blocks) {
      values[after] = golden_.host(taps.tokens(tape, after, batch()).tensor());
    }
    taps.clear();
  }
  tape.clear();
  return values;
}

}  // namespace edt::test
