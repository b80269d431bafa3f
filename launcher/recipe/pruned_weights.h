// Runs that are being pruned: what their masks make of their weights, and the smaller model.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "launcher/recipe/train_config.h"
#include "model/pruning/cut.h"
#include "parallel/checkpoint/checkpoint.h"

namespace edt {

// What the masks of a checkpoint have come to; nothing: it has none. CheckpointError where their
// state is not that of the model.
struct StoredMasks {
  UnitCut cut;
  double share = 1, target = 1;  // of the products, that are left and that were asked for
  bool decided = false;
};
std::optional<StoredMasks> masks_in(const Checkpoint& checkpoint, const TrainConfig& config,
                                    const ModelConfig& model);

// UsageError that names the option where the weights of a checkpoint are nothing without its masks.
void refuse_masks(const Checkpoint& checkpoint, std::string_view option);

// Writes a checkpoint of step 0 with the weights of the moving average, cut; its configuration is
// that of a run that goes on with them. Returns its path.
std::filesystem::path write_cut(const Checkpoint& from, const UnitCut& cut,
                                const std::string& configuration, const CheckpointStore& store);

}  // namespace edt
