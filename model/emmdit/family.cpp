#include "model/emmdit/family.h"

#include "core/options/options.h"
#include "model/emmdit/emmdit_model.h"

namespace edt {

// The small one was not published.
std::vector<EmmditConfig> EmmditFamily::presets() {
  EmmditConfig small;
  small.name = "E-MMDiT-S";
  small.groups = {2, 8, 2};
  small.width = 384;
  small.heads = 12;
  return {EmmditConfig{}, small};
}

void EmmditFamily::resize(EmmditConfig& config, const SizeOptions& sizes) {
  config.groups = sizes.depths.value_or(config.groups);
  if (sizes.widths) config.width = single(*sizes.widths, "model.widths", config.name);
  if (sizes.heads) config.heads = single(*sizes.heads, "model.heads", config.name);
}

std::unique_ptr<Model> EmmditFamily::make(const EmmditConfig& config, ModelUse,
                                          const ModelPlace& place) {
  return std::make_unique<EmmditModel>(config, place.device, place.dtype, place.ranks);
}

void EmmditFamily::Options::declare(OptionSet& options) {
  options
      .add("model.regions", &regions,
           "regions within which tokens attend, by turns through the blocks, each as their number "
           "and the run of neighbours that is dealt to one: 1:1,4:1,4:4; off: all tokens attend "
           "to all")
      .default_is("those of the preset");
  options
      .add("model.position-grid", &position_grid,
           "side of the table of positions, whose middle is used")
      .range(1, 4096)
      .default_is("that of the preset");
}

void EmmditFamily::Options::apply(EmmditConfig& config) const {
  if (!regions.empty()) config.regions = parse_regions(regions);
  config.position_grid = position_grid.value_or(config.position_grid);
}

}  // namespace edt
