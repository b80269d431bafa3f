// Between a training engine and its checkpoints: what is saved, and how a run goes on from it.
#pragma once

#include <filesystem>
#include <string>

#include "launcher/train/config.h"
#include "model/training/engine.h"
#include "parallel/checkpoint/checkpointer.h"

namespace edt {

class RunCheckpoints {
 public:
  RunCheckpoints(const std::filesystem::path& directory, const RunOptions& options,
                 std::string configuration, TrainingEngine& engine);

  // Loads the newest intact checkpoint. False when there is none to go on from.
  bool restore();

  // Throws UsageError when there are checkpoints that a fresh run would overwrite.
  void require_empty() const;

  // Saves the state after the present step; returns once it is staged, or written when so asked.
  void save();
  // Reports what went wrong with earlier saves, which does not stop training.
  void report();
  // Until the last save is on disk. Throws when that save failed.
  void finish();

 private:
  TrainingEngine& engine_;
};

}  // namespace edt
