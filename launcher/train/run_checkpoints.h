// Between a training engine and its checkpoints: what is saved, and how a run goes on from it.
#pragma once

#include <memory>
#include <string>

#include "launcher/run_directory.h"
#include "launcher/train/config.h"
#include "model/training/engine.h"
#include "parallel/checkpoint/checkpoint.h"
#include "parallel/checkpoint/writer.h"
#include "parallel/mesh.h"

namespace edt {

class RunCheckpoints {
 public:
  // `configuration`: the effective configuration, kept in every checkpoint.
  RunCheckpoints(const RunDirectory& directory, const TrainConfig& config,
                 std::string configuration, const Model& model, TrainingEngine& engine,
                 const Mesh& mesh);

  // Loads the newest intact checkpoint; one that is damaged is set aside. False when there is none.
  // Throws CheckpointError when it is of another model, optimizer or sampler.
  bool restore();
  // Throws UsageError when there are checkpoints that a fresh run would mix with.
  void require_none() const;

  // Saves the state after the present step. Returns once it is copied, or written when so asked.
  void save();
  // Logs how earlier saves ended. A failed one does not stop training.
  void report();
  // Waits until the last save is on disk; throws SystemError when it failed.
  void finish();

 private:
  void start_from_weights(const Checkpoint& checkpoint);
  void go_on_from(const Checkpoint& checkpoint);
  std::vector<StateArray> arrays();
  // The arrays as a checkpoint sees them: all that this rank has, or its share of a save.
  CheckpointState held(std::vector<StateArray> arrays);
  CheckpointState saved();
  // Fills `arrays`, which may lie in the memory of a device.
  void load(const Checkpoint& checkpoint, std::vector<StateArray> arrays);
  std::vector<ExtraArray> extras();

  Generation generation_;
  CheckpointStore store_;
  TrainConfig config_;
  std::string configuration_;
  const Model& model_;
  TrainingEngine& engine_;
  const Mesh& mesh_;
  std::unique_ptr<CheckpointWriter> writer_;
  std::string last_error_;
};

}  // namespace edt
