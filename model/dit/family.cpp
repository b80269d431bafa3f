#include "model/dit/family.h"

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

}  // namespace

std::vector<DitConfig> DitFamily::presets() {
  return {preset("DiT-S/2", 12, 384, 6),    preset("DiT-B/2", 12, 768, 12),
          preset("DiT-XL/2", 28, 1152, 16), sit("SiT-S/2", 12, 384, 6),
          sit("SiT-B/2", 12, 768, 12),      sit("SiT-L/2", 24, 1024, 16),
          sit("SiT-XL/2", 28, 1152, 16)};
}

void DitFamily::resize(DitConfig& config, const SizeOptions& sizes) {
  if (sizes.depths) config.depth = single(*sizes.depths, "model.depths", config.name);
  if (sizes.widths) config.width = single(*sizes.widths, "model.widths", config.name);
  if (sizes.heads) config.heads = single(*sizes.heads, "model.heads", config.name);
}

std::unique_ptr<Model> DitFamily::make(const DitConfig& config, ModelUse, const ModelPlace& place) {
  return std::make_unique<DitModel>(config, place.device, place.dtype, place.ranks);
}

}  // namespace edt
