// The units that a model may lose: the heads of each block's attention, and the hidden units of its
// MLP.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/families/model_config.h"

namespace edt {

enum class UnitKind { kHeads, kHidden };

// Those of one kind in one block, which are alike.
struct UnitLayer {
  std::int64_t block = 0;
  UnitKind kind = UnitKind::kHeads;
  std::int64_t units = 0;
  double macs = 0;  // of one of them, in a forward pass of one picture

  std::string name() const;  // "heads of block 3"
};

// In the order in which a model has its masks (model/unit_masks.h): block by block, heads first.
// `kinds`: which of them.
std::vector<UnitLayer> unit_layers(const ModelConfig& model, const MaskConfig& kinds);

// UsageError that names the option `because` unless units of the model can be masked and folded.
void check_prunable(const ModelConfig& model, const MaskConfig& kinds, const std::string& because);

}  // namespace edt
