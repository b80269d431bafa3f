// The micro-batch of a run that is not told one. It shapes the bits of the weights, so it is chosen
// once, of what all ranks know alike, and kept in the configuration of the run.
#pragma once

#include <string>

#include "launcher/memory/memory_check.h"
#include "launcher/recipe/train_config.h"
#include "model/plan/dry_run.h"

namespace edt {

struct MicroBatchChoice {
  std::int64_t images = 0;
  std::string why;  // "the largest that leaves each of 32 data ranks one"
};

// Of the micro-batches with which gradients travel once in a step (as many as the odd part of the
// data ranks times a power of two): the largest of at most 32 images that leaves each data rank one
// and fits in the memory of a rank (of 0 bytes: not asked). `step` says everything else. Throws
// UsageError, naming what is legal, where the ranks cannot share the batch; where nothing fits, the
// largest is left to require_memory().
MicroBatchChoice choose_micro_batch(PlannedStep step, const AvailableMemory& memory);

// The same for `ranks` ranks with this configuration, which gets it, where it names none: a line
// that says so, else an empty text.
std::string choose_micro_batch(TrainConfig& config, const ModelConfig& model, int ranks,
                               const AvailableMemory& memory);

// The same for the ranks that were started. All of them call it; `configuration` is what they must
// have in common.
std::string choose_micro_batch(TrainConfig& config, const std::string& configuration,
                               Communicator& world);

}  // namespace edt
