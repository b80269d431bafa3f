#include "model/edt/family.h"

#include <algorithm>

#include "core/options/options.h"
#include "model/edt/edt_model.h"

namespace edt {
namespace {

EdtConfig preset(std::string name, std::vector<std::int64_t> depths,
                 std::vector<std::int64_t> widths, std::vector<std::int64_t> heads,
                 std::vector<std::int64_t> amm_blocks) {
  EdtConfig config;
  config.name = std::move(name);
  config.depths = std::move(depths);
  config.widths = std::move(widths);
  config.heads = std::move(heads);
  config.amm_blocks = std::move(amm_blocks);
  config.mid_mask_block = config.depths[0] * 2 / 3;  // of EDT-XL/2, and where another has the mask
  return config;
}

}  // namespace

std::vector<EdtConfig> EdtFamily::presets() {
  std::vector<EdtConfig> all{
      preset("EDT-Ti/2", {1, 1, 1, 1, 2}, {104, 156, 208, 156, 104}, {2, 3, 4, 3, 2}, {4}),
      preset("EDT-S/2", {2, 2, 2, 3, 3}, {312, 416, 520, 416, 312}, {6, 8, 10, 8, 6}, {7, 10}),
      preset("EDT-B/2", {2, 2, 2, 3, 3}, {624, 832, 1040, 832, 624}, {12, 16, 20, 16, 12}, {7, 10}),
      preset("EDT-XL/2", {6, 4, 4, 7, 7}, {936, 1248, 1560, 1248, 936}, {18, 24, 30, 24, 18},
             {23, 25}),
  };
  all.back().mid_mask = true;
  return all;
}

void EdtFamily::resize(EdtConfig& config, const SizeOptions& sizes) {
  if (sizes.depths) change_depths(config, *sizes.depths);
  config.widths = sizes.widths.value_or(config.widths);
  config.heads = sizes.heads.value_or(config.heads);
}

std::unique_ptr<Model> EdtFamily::make(const EdtConfig& config, ModelUse use,
                                       const ModelPlace& place) {
  auto model = std::make_unique<EdtModel>(config, place.device, place.dtype, place.ranks);
  if (use == ModelUse::kSampling) model->set_amm_blocks(config.amm_blocks);
  return model;
}

void EdtFamily::Options::declare(OptionSet& options) {
  const std::string preset_default = "that of the preset";
  options.add("model.mid-mask", &mid_mask, "third mask, inside the first stage")
      .default_is(preset_default);
  options.add("model.mid-mask-range", &mid_mask_range, "its ratio: low,high")
      .range(0, 1)
      .default_is(preset_default);
  options.add("model.first-down-mask", &first_down_mask, "ratio of the first mask: low,high")
      .range(0, 1)
      .default_is(preset_default);
  options.add("model.later-down-mask", &later_down_mask, "ratio of later masks: low,high")
      .range(0, 1)
      .default_is(preset_default);
  options
      .add("model.amm-blocks", &amm_blocks,
           "blocks that use the attention modulation matrix when sampling, from 0")
      .at_least(0)
      .default_is("those of the preset, in proportion to the depths");
}

void EdtFamily::Options::apply(EdtConfig& config) const {
  config.amm_blocks = amm_blocks.value_or(config.softmax_blocks(config.amm_blocks));
  config.mid_mask = mid_mask.value_or(config.mid_mask);
  if (first_down_mask) config.first_down_mask = to_range(*first_down_mask, "model.first-down-mask");
  if (later_down_mask) config.later_down_mask = to_range(*later_down_mask, "model.later-down-mask");
  if (mid_mask_range) config.mid_mask_range = to_range(*mid_mask_range, "model.mid-mask-range");
}

void EdtFamily::Inference::declare(OptionSet& options) {
  options.add("amm", &amm, "attention modulation matrix");
  options.add("amm-blocks", &amm_blocks, "blocks that use it, from 0")
      .alias("model.amm-blocks")
      .at_least(0)
      .default_is("those of the model")
      .used_when("amm", {"on"});
}

void EdtFamily::Inference::apply(EdtConfig& config) const {
  config.amm_blocks = amm ? amm_blocks.value_or(config.amm_blocks) : std::vector<std::int64_t>{};
  config.check_amm_blocks();
}

}  // namespace edt
