// TAESD: a small autoencoder of convolutions alone, trained to stand in for a larger one in
// previews (madebyollin/taesd). Its latents are a model's as they are; pictures are 0 ... 1 inside.
#include <optional>

#include "core/base/error.h"
#include "model/autoencoder/parts.h"

namespace edt {
namespace {

// relu(conv(relu(conv(relu(conv x)))) + x); some first add what a norm of a wider picture gives.
class TinyBlock {
 public:
  TinyBlock(LayerFactory& f, const std::string& name, std::int64_t inputs)
      : first_(f.convolution(name + ".conv.0", inputs)),
        second_(f.convolution(name + ".conv.2", first_.form().outputs)),
        third_(f.convolution(name + ".conv.4", second_.form().outputs)),
        dtype_(f.dtype()) {
    const AutoencoderTensors& tensors = f.tensors();
    if (tensors.has(name + ".skip.weight")) skip_.emplace(f.convolution(name + ".skip", inputs));
    if (tensors.has(name + ".pool.0.weight")) {
      const std::int64_t width = tensors.shape(name + ".pool.0.weight")[0];
      pool_.emplace(Pool{f.convolution(name + ".pool.0", inputs),
                         f.group_norm(name + ".pool.1", width, 4, 1e-5),
                         f.convolution(name + ".pool.3", width)});
    }
    require<DataError>((skip_ ? skip_->form().outputs : inputs) == outputs(), "vae",
                       "{}: {} adds {} channels to {}", tensors.label(), name, outputs(), inputs);
  }

  std::int64_t outputs() const { return third_.form().outputs; }

  Var operator()(PicturePass& pass, Var x) const {
    using enum PictureActivation;
    x = converted(pass, x, dtype_);
    if (pool_) {
      const Var wide = pool_->widen(pass, x);
      pool_->narrow.add(pass, pool_->norm(pass, wide, kRelu, wide.dtype()), x);
    }
    const Var h = second_(pass, first_(pass, x, kRelu), kRelu);
    if (skip_) x = (*skip_)(pass, x);
    third_.add(pass, h, x, kRelu);
    return x;
  }

 private:
  struct Pool {
    ConvolutionLayer widen;
    GroupNormLayer norm;
    ConvolutionLayer narrow;
  };
  ConvolutionLayer first_, second_, third_;
  std::optional<ConvolutionLayer> skip_;
  std::optional<Pool> pool_;
  DType dtype_;
};

struct Step {
  std::optional<TinyBlock> block;
  std::optional<ConvolutionLayer> convolution;
  PictureActivation activation = PictureActivation::kNone;
};

// The modules of a Sequential by their numbers. Which of those without weights are missing follows
// from the others: a convolution without bias changes the size, one that is followed by a gap is
// followed by a ReLU.
class TinyNetwork final : public PictureNetwork {
 public:
  TinyNetwork(LayerFactory f, const std::string& name, std::int64_t inputs, bool encodes) {
    const AutoencoderTensors& tensors = f.tensors();
    const std::vector<std::int64_t> numbers = numbers_of(tensors, name);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const std::string layer = name + std::to_string(numbers[i]);
      Step step;
      if (tensors.has_any(layer + ".conv.")) {
        inputs = step.block.emplace(f, layer, inputs).outputs();
      } else {
        const bool gap = i + 1 < numbers.size() && numbers[i + 1] != numbers[i] + 1;
        const bool bias = tensors.has(layer + ".bias");
        if (bias && gap) step.activation = PictureActivation::kRelu;
        const bool resizes = !bias || (encodes && gap);
        ConvolutionForm form{.before = 1, .after = 1};
        if (resizes && encodes) form.stride = 2;
        if (resizes && !encodes) form.doubled = true;
        factor_ *= resizes ? 2 : 1;
        const bool at_end = i == 0 || i + 1 == numbers.size();  // small: float32 in any case
        LayerFactory wide = f.in(DType::kFloat32);
        step.convolution.emplace((at_end ? wide : f).convolution(layer, inputs, form));
        inputs = step.convolution->form().outputs;
      }
      steps_.push_back(std::move(step));
    }
    outputs_ = inputs;
  }

  std::int64_t factor() const { return factor_; }
  std::int64_t outputs() const { return outputs_; }

  Var run(PicturePass& pass, Var x) const override {
    for (const Step& step : steps_) {
      x = step.block ? (*step.block)(pass, std::move(x))
                     : (*step.convolution)(pass, x, step.activation);
    }
    return x;
  }

 private:
  static std::vector<std::int64_t> numbers_of(const AutoencoderTensors& tensors,
                                              const std::string& name) {
    constexpr std::int64_t kMost = 256;
    std::vector<std::int64_t> numbers;
    for (std::int64_t i = 0; i < kMost; ++i) {
      if (tensors.has_any(name + std::to_string(i) + ".")) numbers.push_back(i);
    }
    return numbers;
  }

  std::int64_t factor_ = 1, outputs_ = 0;
  std::vector<Step> steps_;
};

}  // namespace

AutoencoderParts build_taesd(AutoencoderTensors& tensors, Backend& backend,
                             const AutoencoderOptions& options) {
  AutoencoderParts parts;
  parts.info.kind = "TAESD";
  parts.info.moments = false;
  parts.info.rounds_up = true;
  parts.info.preview = true;
  parts.unit_pictures = true;
  parts.squashes_latents = true;
  if (tensors.has_any("encoder.")) {
    auto encoder = std::make_unique<TinyNetwork>(LayerFactory(backend, tensors, DType::kFloat32),
                                                 "encoder.layers.", 3, true);
    const std::int64_t channels = encoder->outputs(), factor = encoder->factor();
    set_encoder(parts, std::move(encoder), channels, factor, options);
  }
  if (tensors.has_any("decoder.")) {
    const Shape& first = tensors.shape("decoder.layers.0.weight");
    const std::int64_t channels = first.rank() == 4 ? first[1] : 0;
    auto decoder = std::make_unique<TinyNetwork>(LayerFactory(backend, tensors, options.decode),
                                                 "decoder.layers.", channels, false);
    const std::int64_t factor = decoder->factor(), outputs = decoder->outputs();
    set_decoder(parts, std::move(decoder), channels, factor, options, tensors.label());
    require<DataError>(outputs == 3, "vae", "{}: the decoder gives {} channels, pictures have 3",
                       tensors.label(), outputs);
  }
  return parts;
}

}  // namespace edt
