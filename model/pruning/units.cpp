#include "model/pruning/units.h"

#include "core/base/error.h"

namespace edt {

std::string UnitLayer::name() const {
  return fmt::format("{} of block {}", kind == UnitKind::kHeads ? "heads" : "hidden units", block);
}

// A head is in four maps of T tokens, of which three give queries, keys and values, and in two
// products of T by T.
std::vector<UnitLayer> unit_layers(const ModelConfig& model, const MaskConfig& kinds) {
  std::vector<UnitLayer> layers;
  for (std::int64_t block = 0; block < model.blocks(); ++block) {
    const TokenSite site = model.site_after(block + 1, "block");
    const auto units = model.units_of(block);
    EDT_ASSERT(units.has_value());
    const auto tokens = static_cast<double>(site.grid.tokens()),
               width = static_cast<double>(site.width),
               size = static_cast<double>(units->head_size);
    if (kinds.heads) {
      layers.push_back({block, UnitKind::kHeads, units->heads,
                        4 * tokens * width * size + 2 * tokens * tokens * size});
    }
    if (kinds.hidden) {
      layers.push_back({block, UnitKind::kHidden, units->hidden,
                        static_cast<double>(units->hidden_maps) * tokens * width});
    }
  }
  return layers;
}

void check_prunable(const ModelConfig& model, const MaskConfig& kinds, const std::string& because) {
  const CommonConfig& common = model.common();
  require<UsageError>(model.units_of(0).has_value(), "prune",
                      "{}, and blocks of {} cannot lose units: those of EDT and DiT can", because,
                      model.name());
  require<UsageError>(common.weights.form == WeightForm::kDense, "prune",
                      "{}, and model.weights is ternary: a mask cannot be folded into weights that "
                      "are rounded",
                      because);
  require<UsageError>(
      !kinds.heads || !common.attention.any_linear(), "prune",
      "{}, and model.attention-form is linear, whose heads stay: prune.units hidden", because);
}

}  // namespace edt
