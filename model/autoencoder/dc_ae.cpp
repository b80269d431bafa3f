// DC-AE (Chen et al., arXiv 2410.10733), as SANA and E-MMDiT use it: residual blocks with a norm
// over channels behind them, linear attention with gated convolutions in the deep levels, and
// shortcuts that trade pixels for channels. It gives latents, no moments.
#include <optional>
#include <variant>

#include "core/base/error.h"
#include "model/autoencoder/parts.h"

namespace edt {
namespace {

using enum PictureActivation;

// x + norm(conv(silu(conv x)))
class DcResidualBlock {
 public:
  DcResidualBlock(LayerFactory& f, const std::string& name, std::int64_t channels)
      : conv1_(f.convolution(name + ".conv1", channels)),
        conv2_(f.convolution(name + ".conv2", conv1_.form().outputs)),
        norm_(f.rms_norm(name + ".norm", channels)) {}

  std::int64_t outputs() const { return conv2_.form().outputs; }

  Var operator()(PicturePass& pass, const Var& x) const {
    const Var h = conv2_(pass, conv1_(pass, x, kSilu));
    return norm_(pass, h, kNone, x, x.dtype());
  }

 private:
  ConvolutionLayer conv1_, conv2_;
  RmsNormLayer norm_;
};

// Linear attention over queries, keys and values and over what convolutions make of them; the heads
// are cut from q, k and v one behind the other, as published.
class DcAttention {
 public:
  DcAttention(LayerFactory& f, const std::string& name, std::int64_t channels)
      : q_(f.convolution(name + ".to_q", channels)),
        k_(f.convolution(name + ".to_k", channels)),
        v_(f.convolution(name + ".to_v", channels)),
        norm_(f.rms_norm(name + ".norm_out", channels)),
        out_(f.convolution(name + ".to_out", attended(f, name))) {
    const std::int64_t all = 3 * q_.form().outputs;
    for (std::int64_t i = 0; i < f.tensors().count(name + ".to_qkv_multiscale."); ++i) {
      const std::string scale = fmt::format("{}.to_qkv_multiscale.{}", name, i);
      const Shape& kernel = f.tensors().shape(scale + ".proj_in.weight");
      const Shape& mixed = f.tensors().shape(scale + ".proj_out.weight");
      require<DataError>(
          kernel.rank() == 4 && mixed.rank() == 4 && mixed[1] >= 1 && all % mixed[1] == 0, "vae",
          "{}: {} has weights of {} and {}", f.tensors().label(), scale, to_string(kernel),
          to_string(mixed));
      size_ = mixed[1];
      scales_.push_back(
          {f.convolution(scale + ".proj_in", all,
                         {.groups = all, .before = kernel[2] / 2, .after = kernel[2] / 2}),
           f.convolution(scale + ".proj_out", all, {.groups = all / mixed[1]})});
    }
    require<DataError>(k_.form() == q_.form() && v_.form() == q_.form() &&
                           out_.form().outputs == channels && q_.form().outputs % size_ == 0,
                       "vae", "{}: {}: queries, keys, values and heads of {} do not fit",
                       f.tensors().label(), name, size_);
  }

  Var operator()(PicturePass& pass, const Var& x) const {
    constexpr double kEpsilon = 1e-15;
    const Var qkv =
        join_channels(pass.tape, join_channels(pass.tape, q_(pass, x), k_(pass, x)), v_(pass, x));
    Var all = qkv;
    for (const auto& [spread, mix] : scales_) {
      all = join_channels(pass.tape, all, mix(pass, spread(pass, qkv)));
    }
    const Var seen = relu_linear_attention(pass.tape, all, size_, kEpsilon);
    return norm_(pass, out_(pass, seen), kNone, x, x.dtype());
  }

 private:
  // Channels of all scales together.
  static std::int64_t attended(LayerFactory& f, const std::string& name) {
    const std::int64_t scales = f.tensors().count(name + ".to_qkv_multiscale.");
    return f.tensors().shape(name + ".to_q.weight")[0] * (1 + scales);
  }

  struct Scale {
    ConvolutionLayer spread, mix;
  };
  ConvolutionLayer q_, k_, v_;
  RmsNormLayer norm_;
  ConvolutionLayer out_;
  std::int64_t size_ = 32;
  std::vector<Scale> scales_;
};

// x + norm(narrow(a * silu(b))), a and b the halves of what a depthwise convolution gives.
class DcGatedConvolution {
 public:
  DcGatedConvolution(LayerFactory& f, const std::string& name, std::int64_t channels)
      : widen_(f.convolution(name + ".conv_inverted", channels)),
        depth_(f.convolution(name + ".conv_depth", widen_.form().outputs,
                             {.groups = widen_.form().outputs, .before = 1, .after = 1})),
        narrow_(f.convolution(name + ".conv_point", widen_.form().outputs / 2)),
        norm_(f.rms_norm(name + ".norm", channels)) {}

  Var operator()(PicturePass& pass, const Var& x) const {
    const Var h = gated_silu(pass.tape, depth_(pass, widen_(pass, x, kSilu)));
    return norm_(pass, narrow_(pass, h), kNone, x, x.dtype());
  }

 private:
  ConvolutionLayer widen_, depth_, narrow_;
  RmsNormLayer norm_;
};

struct DcAttentionBlock {
  DcAttention attention;
  DcGatedConvolution convolution;

  Var operator()(PicturePass& pass, const Var& x) const {
    return convolution(pass, attention(pass, x));
  }
};

// Half the side: a convolution (strided, or whose pixels become channels), plus means of the folded
// picture.
class DcDown {
 public:
  DcDown(LayerFactory& f, const std::string& name, std::int64_t channels, std::int64_t outputs,
         bool shortcut)
      : folds_(f.tensors().shape(name + ".conv.weight")[0] * 4 == outputs),
        conv_(f.convolution(name + ".conv", channels,
                            {.stride = folds_ ? 1 : 2, .before = 1, .after = 1})),
        shortcut_(shortcut),
        group_(4 * channels / outputs) {
    require<DataError>(conv_.form().outputs * (folds_ ? 4 : 1) == outputs &&
                           (!shortcut || group_ * outputs == 4 * channels),
                       "vae", "{}: {} makes {} channels of {}, {} are needed", f.tensors().label(),
                       name, conv_.form().outputs, channels, outputs);
  }

  Var operator()(PicturePass& pass, const Var& x) const {
    Var y = conv_(pass, x);
    if (folds_) y = fold_pixels(pass.tape, y, 2, 1);
    return shortcut_ ? with_added(pass, y, fold_pixels(pass.tape, x, 2, group_)) : y;
  }

 private:
  bool folds_;
  ConvolutionLayer conv_;
  bool shortcut_;
  std::int64_t group_;
};

// Twice the side, the same backwards.
class DcUp {
 public:
  DcUp(LayerFactory& f, const std::string& name, std::int64_t channels, std::int64_t outputs,
       bool shortcut)
      : unfolds_(f.tensors().shape(name + ".conv.weight")[0] == 4 * outputs),
        conv_(f.convolution(name + ".conv", channels,
                            {.before = 1, .after = 1, .doubled = !unfolds_})),
        shortcut_(shortcut),
        repeats_(4 * outputs / channels) {
    require<DataError>(conv_.form().outputs == outputs * (unfolds_ ? 4 : 1) &&
                           (!shortcut || repeats_ * channels == 4 * outputs),
                       "vae", "{}: {} makes {} channels of {}, {} are needed", f.tensors().label(),
                       name, conv_.form().outputs, channels, outputs);
  }

  Var operator()(PicturePass& pass, const Var& x) const {
    Var y = conv_(pass, x);
    if (unfolds_) y = unfold_pixels(pass.tape, y, 2, 1);
    return shortcut_ ? with_added(pass, y, unfold_pixels(pass.tape, x, 2, repeats_)) : y;
  }

 private:
  bool unfolds_;
  ConvolutionLayer conv_;
  bool shortcut_;
  std::int64_t repeats_;
};

using DcStep = std::variant<DcResidualBlock, DcAttentionBlock, DcDown, DcUp>;

void run_steps(const std::vector<DcStep>& steps, PicturePass& pass, Var& x) {
  for (const DcStep& step : steps) {
    x = std::visit([&](const auto& part) { return part(pass, x); }, step);
  }
}

DcStep block_of(LayerFactory& f, const std::string& name, std::int64_t channels) {
  if (f.tensors().has_any(name + ".attn.")) {
    return DcAttentionBlock{{f, name + ".attn", channels}, {f, name + ".conv_out", channels}};
  }
  DcResidualBlock block(f, name, channels);
  require<DataError>(block.outputs() == channels, "vae", "{}: {} adds {} channels to {}",
                     f.tensors().label(), name, block.outputs(), channels);
  return block;
}

std::int64_t first_outputs(const AutoencoderTensors& tensors, const std::string& name) {
  return tensors.shape(name)[0];
}

class DcEncoder final : public PictureNetwork {
 public:
  explicit DcEncoder(LayerFactory f) {
    AutoencoderTensors& tensors = f.tensors();
    std::int64_t channels;
    if (tensors.has("encoder.conv_in.weight")) {
      in_.emplace(f.convolution("encoder.conv_in", 3));
      channels = in_->form().outputs;
    } else {
      const std::int64_t made = first_outputs(tensors, "encoder.conv_in.conv.weight");
      const std::string next = "encoder.down_blocks.1.0.conv1.weight";
      channels = tensors.has(next) ? tensors.shape(next)[1] : made;
      steps_.emplace_back(DcDown(f, "encoder.conv_in", 3, channels, false));
      factor_ *= 2;
    }
    const std::int64_t levels = level_count(tensors, "encoder.down_blocks.");
    for (std::int64_t i = 0; i < levels; ++i) {
      const std::string level = fmt::format("encoder.down_blocks.{}.", i);
      for (std::int64_t j = 0; j < tensors.count(level); ++j) {
        const std::string name = level + std::to_string(j);
        if (!tensors.has_any(name + ".conv.")) {
          steps_.push_back(block_of(f, name, channels));
          continue;
        }
        const std::int64_t outputs = width_of(tensors, i + 1, name);
        steps_.emplace_back(DcDown(f, name, channels, outputs, true));
        channels = outputs;
        factor_ *= 2;
      }
    }
    out_.emplace(f.convolution("encoder.conv_out", channels));
    require<DataError>(channels % outputs() == 0, "vae", "{}: the last {} channels become {}",
                       tensors.label(), channels, outputs());
    group_ = channels / outputs();
  }

  std::int64_t outputs() const { return out_->form().outputs; }
  std::int64_t factor() const { return factor_; }

  Var run(PicturePass& pass, Var x) const override {
    if (in_) x = (*in_)(pass, x);
    run_steps(steps_, pass, x);
    const Var means = fold_pixels(pass.tape, x, 1, group_);
    return with_added(pass, (*out_)(pass, x), means);
  }

  // Levels may be empty, so that numbers are missing.
  static std::int64_t level_count(const AutoencoderTensors& tensors, const std::string& name) {
    constexpr std::int64_t kMost = 16;
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < kMost; ++i) {
      if (tensors.has_any(fmt::format("{}{}.", name, i))) count = i + 1;
    }
    return count;
  }

 private:
  // Channels of a level, by its first block; `before`: the step that leads there.
  static std::int64_t width_of(const AutoencoderTensors& tensors, std::int64_t level,
                               const std::string& before) {
    const std::string first = fmt::format("encoder.down_blocks.{}.0", level);
    for (const char* weight : {".conv1.weight", ".attn.to_q.weight"}) {
      if (tensors.has(first + weight)) return tensors.shape(first + weight)[1];
    }
    return first_outputs(tensors, before + ".conv.weight");
  }

  std::optional<ConvolutionLayer> in_, out_;
  std::vector<DcStep> steps_;
  std::int64_t factor_ = 1, group_ = 1;
};

class DcDecoder final : public PictureNetwork {
 public:
  DcDecoder(LayerFactory f, LayerFactory wide)
      : in_(wide.convolution("decoder.conv_in", f.tensors().shape("decoder.conv_in.weight")[1])),
        dtype_(f.dtype()) {
    AutoencoderTensors& tensors = f.tensors();
    std::int64_t channels = in_.form().outputs;
    require<DataError>(channels % inputs() == 0, "vae", "{}: {} latent channels become {}",
                       tensors.label(), inputs(), channels);
    repeats_ = channels / inputs();
    for (std::int64_t i = DcEncoder::level_count(tensors, "decoder.up_blocks.") - 1; i >= 0; --i) {
      const std::string level = fmt::format("decoder.up_blocks.{}.", i);
      for (std::int64_t j = 0; j < tensors.count(level); ++j) {
        const std::string name = level + std::to_string(j);
        if (!tensors.has_any(name + ".conv.")) {
          steps_.push_back(block_of(f, name, channels));
          continue;
        }
        const std::int64_t outputs = width_of(tensors, fmt::format("{}{}", level, j + 1), name);
        steps_.emplace_back(DcUp(f, name, channels, outputs, true));
        channels = outputs;
        factor_ *= 2;
      }
    }
    norm_.emplace(f.rms_norm("decoder.norm_out", channels));
    if (tensors.has("decoder.conv_out.weight")) {
      out_.emplace(wide.convolution("decoder.conv_out", channels));
      return;
    }
    end_.emplace_back(DcUp(wide, "decoder.conv_out", channels, 3, false));
    factor_ *= 2;
  }

  std::int64_t inputs() const { return in_.form().inputs; }
  std::int64_t factor() const { return factor_; }

  Var run(PicturePass& pass, Var x) const override {
    const Var repeated = unfold_pixels(pass.tape, x, 1, repeats_);
    x = converted(pass, with_added(pass, in_(pass, x), repeated), dtype_);
    run_steps(steps_, pass, x);
    x = (*norm_)(pass, x, kRelu, {}, DType::kFloat32);
    if (out_) return (*out_)(pass, x);
    run_steps(end_, pass, x);
    return x;
  }

 private:
  // Channels behind the step `up`, by the block `next` that follows it.
  static std::int64_t width_of(const AutoencoderTensors& tensors, const std::string& next,
                               const std::string& up) {
    for (const char* weight : {".conv1.weight", ".attn.to_q.weight"}) {
      if (tensors.has(next + weight)) return tensors.shape(next + weight)[1];
    }
    return first_outputs(tensors, up + ".conv.weight");
  }

  ConvolutionLayer in_;
  DType dtype_;
  std::int64_t repeats_ = 1, factor_ = 1;
  std::vector<DcStep> steps_, end_;
  std::optional<RmsNormLayer> norm_;
  std::optional<ConvolutionLayer> out_;
};

}  // namespace

AutoencoderParts build_dc_ae(AutoencoderTensors& tensors, Backend& backend,
                             const AutoencoderOptions& options) {
  AutoencoderParts parts;
  parts.info.kind = "DC-AE";
  parts.info.moments = false;
  parts.info.whole_latents = true;
  const LayerFactory wide(backend, tensors, DType::kFloat32);
  if (tensors.has_any("encoder.")) {
    auto encoder = std::make_unique<DcEncoder>(wide);
    const std::int64_t channels = encoder->outputs(), factor = encoder->factor();
    set_encoder(parts, std::move(encoder), channels, factor, options);
  }
  if (tensors.has_any("decoder.")) {
    auto decoder =
        std::make_unique<DcDecoder>(LayerFactory(backend, tensors, options.decode), wide);
    const std::int64_t channels = decoder->inputs(), factor = decoder->factor();
    set_decoder(parts, std::move(decoder), channels, factor, options, tensors.label());
  }
  return parts;
}

}  // namespace edt
