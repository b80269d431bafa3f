#include "model/presets/presets.h"

#include <algorithm>
#include <numeric>

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
  config.mid_mask_block = config.depths[0] * 2 / 3;  // of EDT-XL/2, and where another has the mask
  return config;
}

std::int64_t sum(const std::vector<std::int64_t>& depths, std::int64_t first, std::int64_t last) {
  return std::accumulate(depths.begin() + first, depths.begin() + last, std::int64_t{0});
}

// Some stages in a row: blocks `begin` ... `begin + count - 1`.
struct BlockRange {
  std::int64_t begin, count;
};

BlockRange stage_of(const EdtConfig& config, std::int64_t stage) {
  return {sum(config.depths, 0, stage), config.depths[static_cast<std::size_t>(stage)]};
}

BlockRange way_up(const EdtConfig& config) {
  const std::int64_t first = std::min(config.down_stages() + 1, config.stages());
  return {sum(config.depths, 0, first), sum(config.depths, first, config.stages())};
}

// The block of `to` whose part of it has the middle of `block` of `from`.
std::int64_t moved(std::int64_t block, const BlockRange& from, const BlockRange& to) {
  return to.begin + (2 * (block - from.begin) + 1) * to.count / (2 * from.count);
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

void change_depths(EdtConfig& config, std::vector<std::int64_t> depths) {
  EdtConfig changed = config;
  changed.depths = std::move(depths);
  changed.amm_blocks.clear();
  for (const std::int64_t block : config.amm_blocks) {
    const std::int64_t stage = config.stage_of_block(block);
    const bool same_stages = changed.stages() == config.stages();
    const BlockRange from = same_stages ? stage_of(config, stage) : way_up(config);
    const BlockRange to = same_stages ? stage_of(changed, stage) : way_up(changed);
    if (to.count == 0) continue;  // one stage: there is no way up
    const std::int64_t place = moved(block, from, to);
    if (changed.amm_blocks.empty() || changed.amm_blocks.back() != place) {
      changed.amm_blocks.push_back(place);
    }
  }
  if (!changed.depths.empty()) {
    changed.mid_mask_block = config.mid_mask_block * changed.depths[0] / config.depths[0];
  }
  config = std::move(changed);
}

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
