// The shape of a DiT: equal transformer blocks on one token grid, of the published style or of
// another: LightningDiT's.
#pragma once

#include <vector>

#include "model/blocks/style.h"
#include "model/config.h"

namespace edt {

struct DitConfig : CommonConfig {
  std::int64_t depth = 12;
  std::int64_t width = 384;
  std::int64_t heads = 6;
  BlockStyle style;

  // Throws UsageError naming the option and both values when the parts do not fit.
  void validate() const;
  GridStep grid_step() const { return patch_step(); }
  std::int64_t hidden_units() const { return style.hidden_units(width, mlp_ratio); }
  // Of a block counted from 0, those that it has left.
  BlockUnits units_of(std::int64_t block) const { return kept.of(block, whole_block()); }
  BlockUnits whole_block() const;
  // Numbers of tensor ranks that the model can be cut into: divisors of the heads and of the MLP's
  // hidden units, of all blocks.
  std::vector<int> tensor_degrees() const;
  PassKinds passes() const { return {.groups = needs_grid().empty()}; }
  std::int64_t blocks() const { return depth; }
  TokenSite site_after(std::int64_t) const { return {patches(), width}; }
  bool operator==(const DitConfig&) const = default;
};

}  // namespace edt
