#include "model/mdtv2/family.h"

#include "core/base/error.h"
#include "core/options/options.h"
#include "model/mdtv2/mdtv2_model.h"

namespace edt {
namespace {

Mdtv2Config preset(std::string name, std::int64_t encoder, std::int64_t decoder, std::int64_t width,
                   std::int64_t heads) {
  Mdtv2Config config;
  config.name = std::move(name);
  config.encoder_depth = encoder;
  config.decoder_depth = decoder;
  config.width = width;
  config.heads = heads;
  return config;
}

// Of sequences, each frame a token, as MDT-A2G has gestures (arXiv 2408.03312).
Mdtv2Config sequence(std::string name, std::int64_t encoder, std::int64_t decoder,
                     std::int64_t width, std::int64_t heads) {
  constexpr std::int64_t kChannels = 64, kFrames = 150;
  Mdtv2Config config = preset(std::move(name), encoder, decoder, width, heads);
  config.latents = LatentShape::sequence(kChannels, kFrames);
  config.patch = 1;
  return config;
}

}  // namespace

// Those of sequences have widths and depths of their own, as MDT-A2G's were not to be had.
std::vector<Mdtv2Config> Mdtv2Family::presets() {
  return {preset("MDTv2-S/2", 6, 6, 384, 6),     preset("MDTv2-B/2", 6, 6, 768, 12),
          preset("MDTv2-XL/2", 24, 4, 1152, 16), sequence("MDTv2-Ti/1d", 4, 2, 128, 4),
          sequence("MDTv2-S/1d", 6, 6, 384, 6),  sequence("MDTv2-B/1d", 6, 6, 768, 12)};
}

void Mdtv2Family::resize(Mdtv2Config& config, const SizeOptions& sizes) {
  if (const auto& depths = sizes.depths) {
    require<UsageError>(depths->size() == 2, "model",
                        "model.depths has {} values, {} takes two: encoder,decoder", depths->size(),
                        config.name);
    config.encoder_depth = depths->at(0);
    config.decoder_depth = depths->at(1);
  }
  if (sizes.widths) config.width = single(*sizes.widths, "model.widths", config.name);
  if (sizes.heads) config.heads = single(*sizes.heads, "model.heads", config.name);
}

std::unique_ptr<Model> Mdtv2Family::make(const Mdtv2Config& config, ModelUse,
                                         const ModelPlace& place) {
  return std::make_unique<Mdtv2Model>(config, place.device, place.dtype, place.ranks);
}

void Mdtv2Family::Options::declare(OptionSet& options) {
  options
      .add("model.mask-ratio", &mask_ratio, "share of tokens that the masked pass drops: low,high")
      .range(0, 1)
      .default_is("that of the preset");
}

void Mdtv2Family::Options::apply(Mdtv2Config& config) const {
  if (mask_ratio) config.mask_ratio = to_range(*mask_ratio, "model.mask-ratio");
}

}  // namespace edt
