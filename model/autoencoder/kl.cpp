// AutoencoderKL (Rombach et al., arXiv 2112.10752): residual blocks by level, attention in the
// middle, mean and log variance of each latent. Everything but the norms' groups follows from the
// shapes of the tensors: Stable Diffusion's, FLUX's and VA-VAE's are the same network.
#include <optional>

#include "core/base/error.h"
#include "model/autoencoder/parts.h"

namespace edt {
namespace {

constexpr double kEpsilon = 1e-6;

// What the blocks of a half share.
struct KlFactory {
  LayerFactory layers;
  std::int64_t groups;

  GroupNormLayer norm(const std::string& name, std::int64_t channels) {
    return layers.group_norm(name, channels, groups, kEpsilon);
  }
};

// x + conv(silu(norm(conv(silu(norm(x)))))), by way of a 1x1 convolution where widths differ.
class ResidualBlock {
 public:
  ResidualBlock(KlFactory& f, const std::string& name, std::int64_t inputs)
      : norm1_(f.norm(name + ".norm1", inputs)),
        conv1_(f.layers.convolution(name + ".conv1", inputs)),
        norm2_(f.norm(name + ".norm2", conv1_.form().outputs)),
        conv2_(f.layers.convolution(name + ".conv2", conv1_.form().outputs)),
        dtype_(f.layers.dtype()) {
    if (f.layers.tensors().has(name + ".conv_shortcut.weight")) {
      shortcut_.emplace(f.layers.convolution(name + ".conv_shortcut", inputs));
    }
    const std::int64_t carried = shortcut_ ? shortcut_->form().outputs : inputs;
    require<DataError>(carried == outputs(), "vae", "{}: {} adds {} channels to {}",
                       f.layers.tensors().label(), name, outputs(), carried);
  }

  std::int64_t outputs() const { return conv2_.form().outputs; }

  Var operator()(PicturePass& pass, Var x) const {
    Var h = conv1_(pass, norm1_(pass, x, PictureActivation::kSilu, dtype_));
    h = norm2_(pass, h, PictureActivation::kSilu, dtype_);
    if (shortcut_) x = (*shortcut_)(pass, x);
    conv2_.add(pass, h, x);
    return x;
  }

 private:
  GroupNormLayer norm1_;
  ConvolutionLayer conv1_;
  GroupNormLayer norm2_;
  ConvolutionLayer conv2_;
  std::optional<ConvolutionLayer> shortcut_;
  DType dtype_;
};

// One head over all channels, between all pixels.
class AttentionBlock {
 public:
  AttentionBlock(KlFactory& f, const std::string& name, std::int64_t channels)
      : norm_(f.norm(name + ".group_norm", channels)),
        q_(f.layers.convolution(name + ".to_q", channels)),
        k_(f.layers.convolution(name + ".to_k", channels)),
        v_(f.layers.convolution(name + ".to_v", channels)),
        out_(f.layers.convolution(name + ".to_out.0", channels)),
        dtype_(f.layers.dtype()) {
    for (const ConvolutionLayer* layer : {&q_, &k_, &v_, &out_}) {
      require<DataError>(layer->form().outputs == channels, "vae",
                         "{}: {} maps {} channels to {}, its attention keeps their number",
                         f.layers.tensors().label(), name, channels, layer->form().outputs);
    }
  }

  Var operator()(PicturePass& pass, Var x) const {
    const Var h = norm_(pass, x, PictureActivation::kNone, dtype_);
    const Var seen = wide_attention(pass.tape, q_(pass, h), k_(pass, h), v_(pass, h));
    out_.add(pass, seen, x);
    return x;
  }

 private:
  GroupNormLayer norm_;
  ConvolutionLayer q_, k_, v_, out_;
  DType dtype_;
};

// Blocks, each followed by attention where the level has it, and what changes the size.
class Level {
 public:
  Level(KlFactory& f, const std::string& name, const char* sampler, ConvolutionForm sampling,
        std::int64_t inputs) {
    AutoencoderTensors& tensors = f.layers.tensors();
    const std::int64_t count = tensors.count(name + ".resnets.");
    require<DataError>(count > 0, "vae", "{}: {} has no blocks", tensors.label(), name);
    for (std::int64_t j = 0; j < count; ++j) {
      blocks_.emplace_back(f, fmt::format("{}.resnets.{}", name, j), inputs);
      inputs = blocks_.back().outputs();
      const std::string attention = fmt::format("{}.attentions.{}", name, j);
      if (tensors.has_any(attention + ".")) attention_.emplace_back(f, attention, inputs);
    }
    require<DataError>(attention_.empty() || attention_.size() == blocks_.size(), "vae",
                       "{}: {} has {} blocks and {} attentions", tensors.label(), name,
                       blocks_.size(), attention_.size());
    outputs_ = inputs;
    const std::string sampled = fmt::format("{}.{}.0.conv", name, sampler);
    if (!tensors.has_any(sampled + ".")) return;
    sampler_.emplace(f.layers.convolution(sampled, inputs, sampling));
    outputs_ = sampler_->form().outputs;
  }

  std::int64_t outputs() const { return outputs_; }
  bool samples() const { return sampler_.has_value(); }

  Var operator()(PicturePass& pass, Var x) const {
    for (std::size_t j = 0; j < blocks_.size(); ++j) {
      x = blocks_[j](pass, std::move(x));
      if (!attention_.empty()) x = attention_[j](pass, std::move(x));
    }
    return sampler_ ? (*sampler_)(pass, x) : x;
  }

 private:
  std::vector<ResidualBlock> blocks_;
  std::vector<AttentionBlock> attention_;
  std::optional<ConvolutionLayer> sampler_;
  std::int64_t outputs_ = 0;
};

class Middle {
 public:
  Middle(KlFactory& f, const std::string& name, std::int64_t channels)
      : first_(f, name + ".resnets.0", channels), second_(f, name + ".resnets.1", channels) {
    require<DataError>(first_.outputs() == channels && second_.outputs() == channels, "vae",
                       "{}: {} changes the number of channels", f.layers.tensors().label(), name);
    if (f.layers.tensors().has_any(name + ".attentions.0.")) {
      attention_.emplace(f, name + ".attentions.0", channels);
    }
  }

  Var operator()(PicturePass& pass, Var x) const {
    x = first_(pass, std::move(x));
    if (attention_) x = (*attention_)(pass, std::move(x));
    return second_(pass, std::move(x));
  }

 private:
  ResidualBlock first_, second_;
  std::optional<AttentionBlock> attention_;
};

std::vector<Level> levels_of(KlFactory& f, const std::string& name, const char* sampler,
                             const ConvolutionForm& sampling, std::int64_t inputs) {
  std::vector<Level> levels;
  const std::int64_t count = f.layers.tensors().count(name);
  for (std::int64_t i = 0; i < count; ++i) {
    levels.emplace_back(f, name + std::to_string(i), sampler, sampling, inputs);
    inputs = levels.back().outputs();
  }
  require<DataError>(count > 0, "vae", "{}: there are no {}N", f.layers.tensors().label(), name);
  return levels;
}

std::int64_t factor_of(const std::vector<Level>& levels) {
  std::int64_t factor = 1;
  for (const Level& level : levels) factor *= level.samples() ? 2 : 1;
  return factor;
}

class KlEncoder final : public PictureNetwork {
 public:
  explicit KlEncoder(KlFactory f)
      : in_(f.layers.convolution("encoder.conv_in", 3)),
        // Zeros at the right and below only, as published.
        levels_(levels_of(f, "encoder.down_blocks.", "downsamplers", {.stride = 2, .after = 1},
                          in_.form().outputs)),
        middle_(f, "encoder.mid_block", levels_.back().outputs()),
        norm_(f.norm("encoder.conv_norm_out", levels_.back().outputs())),
        out_(f.layers.convolution("encoder.conv_out", levels_.back().outputs())) {
    if (f.layers.tensors().has("quant_conv.weight")) {
      quant_.emplace(f.layers.convolution("quant_conv", out_.form().outputs));
    }
  }

  std::int64_t outputs() const { return quant_ ? quant_->form().outputs : out_.form().outputs; }
  std::int64_t factor() const { return factor_of(levels_); }

  Var run(PicturePass& pass, Var x) const override {
    x = in_(pass, x);
    for (const Level& level : levels_) x = level(pass, std::move(x));
    x = middle_(pass, std::move(x));
    x = out_(pass, norm_(pass, x, PictureActivation::kSilu, DType::kFloat32));
    return quant_ ? (*quant_)(pass, x) : x;
  }

 private:
  ConvolutionLayer in_;
  std::vector<Level> levels_;
  Middle middle_;
  GroupNormLayer norm_;
  ConvolutionLayer out_;
  std::optional<ConvolutionLayer> quant_;
};

// What sees the latents is float32 in any case, as is the last convolution: both are small.
class KlDecoder final : public PictureNetwork {
 public:
  KlDecoder(KlFactory f, KlFactory wide)
      : quant_(wide.layers.tensors().has("post_quant_conv.weight")
                   ? std::optional(wide.layers.convolution("post_quant_conv", latents_of(wide)))
                   : std::nullopt),
        in_(wide.layers.convolution("decoder.conv_in",
                                    quant_ ? quant_->form().outputs : latents_of(wide))),
        middle_(f, "decoder.mid_block", in_.form().outputs),
        levels_(levels_of(f, "decoder.up_blocks.", "upsamplers",
                          {.before = 1, .after = 1, .doubled = true}, in_.form().outputs)),
        norm_(f.norm("decoder.conv_norm_out", levels_.back().outputs())),
        out_(wide.layers.convolution("decoder.conv_out", levels_.back().outputs())),
        dtype_(f.layers.dtype()) {
    require<DataError>(out_.form().outputs == 3, "vae",
                       "{}: decoder.conv_out gives {} channels, pictures have 3",
                       f.layers.tensors().label(), out_.form().outputs);
  }

  std::int64_t inputs() const { return quant_ ? quant_->form().inputs : in_.form().inputs; }
  std::int64_t factor() const { return factor_of(levels_); }

  Var run(PicturePass& pass, Var x) const override {
    if (quant_) x = (*quant_)(pass, x);
    x = converted(pass, in_(pass, x), dtype_);
    x = middle_(pass, std::move(x));
    for (const Level& level : levels_) x = level(pass, std::move(x));
    return out_(pass, norm_(pass, x, PictureActivation::kSilu, DType::kFloat32));
  }

 private:
  // Channels that the first convolution there is takes.
  static std::int64_t latents_of(KlFactory& f) {
    const AutoencoderTensors& tensors = f.layers.tensors();
    const Shape& shape =
        tensors.shape(tensors.has("post_quant_conv.weight") ? "post_quant_conv.weight"
                                                            : "decoder.conv_in.weight");
    return shape.rank() >= 2 ? shape[1] : 0;
  }

  std::optional<ConvolutionLayer> quant_;
  ConvolutionLayer in_;
  Middle middle_;
  std::vector<Level> levels_;
  GroupNormLayer norm_;
  ConvolutionLayer out_;
  DType dtype_;
};

}  // namespace

AutoencoderParts build_kl(AutoencoderTensors& tensors, Backend& backend,
                          const AutoencoderOptions& options) {
  AutoencoderParts parts;
  parts.info.kind = "AutoencoderKL";
  parts.info.norm_groups = options.norm_groups;
  const KlFactory wide{{backend, tensors, DType::kFloat32}, options.norm_groups};
  if (tensors.has("encoder.conv_in.weight")) {
    auto encoder = std::make_unique<KlEncoder>(wide);
    require<DataError>(encoder->outputs() % 2 == 0, "vae",
                       "{}: the encoder gives {} channels, which are no means and variances",
                       tensors.label(), encoder->outputs());
    const std::int64_t channels = encoder->outputs() / 2, factor = encoder->factor();
    set_encoder(parts, std::move(encoder), channels, factor, options);
  }
  if (tensors.has("decoder.conv_in.weight")) {
    auto decoder = std::make_unique<KlDecoder>(
        KlFactory{{backend, tensors, options.decode}, options.norm_groups}, wide);
    const std::int64_t channels = decoder->inputs(), factor = decoder->factor();
    set_decoder(parts, std::move(decoder), channels, factor, options, tensors.label());
  }
  return parts;
}

}  // namespace edt
