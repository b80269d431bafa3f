#include "model/dit/family.h"

#include "core/options/options.h"
#include "model/dit/dit_model.h"

namespace edt {
namespace {

DitConfig preset(std::string name, std::int64_t depth, std::int64_t width, std::int64_t heads) {
  DitConfig config;
  config.name = std::move(name);
  config.depth = depth;
  config.width = width;
  config.heads = heads;
  return config;
}

// The network of a DiT, published with a flow (arXiv 2401.08740).
DitConfig sit(std::string name, std::int64_t depth, std::int64_t width, std::int64_t heads) {
  DitConfig config = preset(std::move(name), depth, width, heads);
  config.process = ProcessConfig::flow();
  return config;
}

// On latents of VA-VAE: 16 x 16 x 32 of a picture of 256 pixels.
DitConfig lightning(std::string name, std::int64_t depth, std::int64_t width, std::int64_t heads) {
  DitConfig config = sit(std::move(name), depth, width, heads);
  config.latents = {.channels = 32, .height = 16, .width = 16, .factor = 16};
  config.patch = 1;
  config.style = {.norm = NormForm::kRms, .mlp = MlpForm::kSwiglu, .positions = Positions::kBoth};
  return config;
}

}  // namespace

// Of LightningDiT, S was not published: it has the sizes of DiT-S.
std::vector<DitConfig> DitFamily::presets() {
  return {preset("DiT-S/2", 12, 384, 6),
          preset("DiT-B/2", 12, 768, 12),
          preset("DiT-XL/2", 28, 1152, 16),
          sit("SiT-S/2", 12, 384, 6),
          sit("SiT-B/2", 12, 768, 12),
          sit("SiT-L/2", 24, 1024, 16),
          sit("SiT-XL/2", 28, 1152, 16),
          lightning("LightningDiT-S/1", 12, 384, 6),
          lightning("LightningDiT-B/1", 12, 768, 12),
          lightning("LightningDiT-L/1", 24, 1024, 16),
          lightning("LightningDiT-XL/1", 28, 1152, 16),
          lightning("LightningDiT-1p0B/1", 24, 1536, 24),
          lightning("LightningDiT-1p6B/1", 28, 1792, 28)};
}

void DitFamily::resize(DitConfig& config, const SizeOptions& sizes) {
  if (sizes.depths) config.depth = single(*sizes.depths, "model.depths", config.name);
  if (sizes.widths) config.width = single(*sizes.widths, "model.widths", config.name);
  if (sizes.heads) config.heads = single(*sizes.heads, "model.heads", config.name);
}

std::unique_ptr<Model> DitFamily::make(const DitConfig& config, ModelUse, const ModelPlace& place) {
  return std::make_unique<DitModel>(config, place.device, place.dtype, place.ranks);
}

void DitFamily::Options::declare(OptionSet& options) {
  constexpr const char* kPreset = "preset";  // that of the preset
  options.add("model.norm", &norm,
              {{kPreset, std::nullopt}, {"layer", NormForm::kLayer}, {"rms", NormForm::kRms}},
              "norm in front of attention, MLP and the last layer: layer norm without parameters, "
              "or RMS norm with a weight");
  options.add("model.mlp", &mlp,
              {{kPreset, std::nullopt}, {"gelu", MlpForm::kGelu}, {"swiglu", MlpForm::kSwiglu}},
              "two matrices around a gelu, or three of 2/3 the width with a gate");
  options.add("model.qk-norm", &head_norm,
              {{kPreset, std::nullopt},
               {"none", HeadNorm::kNone},
               {"layer", HeadNorm::kLayer},
               {"rms", HeadNorm::kRms}},
              "norm of each head of queries and keys");
  options.add("model.positions", &positions,
              {{kPreset, std::nullopt},
               {"sincos", Positions::kTable},
               {"rope", Positions::kRotary},
               {"sincos+rope", Positions::kBoth}},
              "sines and cosines added to the patches, queries and keys turned by row and column, "
              "or both");
  options.add("model.adaln-shift", &shifts, "whether the modulations in blocks have a shift")
      .default_is("that of the preset");
}

void DitFamily::Options::apply(DitConfig& config) const {
  BlockStyle& style = config.style;
  style.norm = norm.value_or(style.norm);
  style.mlp = mlp.value_or(style.mlp);
  style.head_norm = head_norm.value_or(style.head_norm);
  style.positions = positions.value_or(style.positions);
  style.shifts = shifts.value_or(style.shifts);
}

}  // namespace edt
