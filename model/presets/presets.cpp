#include "model/presets/presets.h"

#include "core/base/error.h"

namespace edt {
namespace {

EdtConfig make(std::string name, std::vector<std::int64_t> depths, std::vector<std::int64_t> widths,
               std::vector<std::int64_t> heads, std::vector<std::int64_t> amm_blocks) {
  EdtConfig config;
  config.name = std::move(name);
  config.depths = std::move(depths);
  config.widths = std::move(widths);
  config.heads = std::move(heads);
  config.amm_blocks = std::move(amm_blocks);
  return config;
}

Mdtv2Config mdtv2(std::string name, std::int64_t encoder, std::int64_t decoder, std::int64_t width,
                  std::int64_t heads) {
  Mdtv2Config config;
  config.name = std::move(name);
  config.encoder_depth = encoder;
  config.decoder_depth = decoder;
  config.width = width;
  config.heads = heads;
  return config;
}

DitConfig dit(std::string name, std::int64_t depth, std::int64_t width, std::int64_t heads) {
  DitConfig config;
  config.name = std::move(name);
  config.depth = depth;
  config.width = width;
  config.heads = heads;
  return config;
}

std::vector<ModelConfig> presets() {
  std::vector<EdtConfig> edt{
      make("EDT-Ti/2", {1, 1, 1, 1, 2}, {104, 156, 208, 156, 104}, {2, 3, 4, 3, 2}, {4}),
      make("EDT-S/2", {2, 2, 2, 3, 3}, {312, 416, 520, 416, 312}, {6, 8, 10, 8, 6}, {7, 10}),
      make("EDT-B/2", {2, 2, 2, 3, 3}, {624, 832, 1040, 832, 624}, {12, 16, 20, 16, 12}, {7, 10}),
      make("EDT-XL/2", {6, 4, 4, 7, 7}, {936, 1248, 1560, 1248, 936}, {18, 24, 30, 24, 18},
           {23, 25}),
  };
  edt.back().mid_mask = true;
  std::vector<ModelConfig> all(edt.begin(), edt.end());
  all.insert(all.end(), {mdtv2("MDTv2-S/2", 6, 6, 384, 6), mdtv2("MDTv2-B/2", 6, 6, 768, 12),
                         mdtv2("MDTv2-XL/2", 24, 4, 1152, 16), dit("DiT-S/2", 12, 384, 6),
                         dit("DiT-B/2", 12, 768, 12), dit("DiT-XL/2", 28, 1152, 16)});
  return all;
}

}  // namespace

ModelConfig model_preset(std::string_view name) {
  for (const ModelConfig& config : presets()) {
    if (config.name() == name) return config;
  }
  fail<UsageError>("model", "model.preset is {}, presets are {}", name,
                   fmt::join(preset_names(), ", "));
}

EdtConfig edt_preset(std::string_view name) {
  const ModelConfig config = model_preset(name);
  const auto* edt = config.as<EdtConfig>();
  require<UsageError>(edt != nullptr, "model", "{} is not an EDT", name);
  return *edt;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const ModelConfig& config : presets()) names.push_back(config.name());
  return names;
}

}  // namespace edt
