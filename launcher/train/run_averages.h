// Snapshots of the power-function averages of a run, of which averages of other lengths are made
// afterwards: small checkpoints in RUN/averages, which stay.
#pragma once

#include <memory>

#include "launcher/recipe/train_config.h"
#include "launcher/run/run_directory.h"
#include "launcher/train/disk_preflight.h"
#include "model/training/engine.h"
#include "parallel/checkpoint/writer.h"
#include "parallel/sharding/mesh.h"

namespace edt {

// The averages as arrays of a checkpoint; `half`: rounded to float16 there.
std::vector<StateArray> average_arrays(FlatState& state, bool half = false);

class RunAverages {
 public:
  // All ranks call it, for a run that keeps averages.
  RunAverages(const RunDirectory& directory, const TrainConfig& config, const Model& model,
              TrainingEngine& engine, const Mesh& mesh, std::vector<TensorPart> parts);

  // The run goes on after `step`: what was kept of later ones is removed, as they come again.
  void resumed(std::int64_t step);
  // Those after the present step, as the disk has to take them. On the first rank.
  ComingSnapshots coming() const;
  // Says what snapshots will take on the disk.
  void announce();
  // Whether one is to be saved after the present step: at multiples alone, so that a run that was
  // interrupted has those of one that was not.
  bool is_due() const;
  void save(const CheckpointInfo& info);
  // Logs those that failed; the next one may succeed.
  void report();
  // Waits until the last one is on the disk; throws SystemError when it failed.
  void finish();

 private:
  FencingToken token_;
  CheckpointStore store_;
  std::int64_t every_, last_;
  TrainingEngine& engine_;
  const Mesh& mesh_;
  std::unique_ptr<CheckpointWriter> writer_;
  std::string last_error_;
};

}  // namespace edt
