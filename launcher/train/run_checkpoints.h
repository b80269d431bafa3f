// Between a training engine and its checkpoints: what is saved, and how a run goes on from it.
#pragma once

#include <memory>
#include <string>

#include "launcher/run/run_directory.h"
#include "launcher/train/checkpoint_room.h"
#include "launcher/train/config.h"
#include "launcher/train/smoothed_loss.h"
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

  // Throws UsageError, on all ranks, where a fresh run has no space for the first checkpoints and
  // what is kept meanwhile; a run that goes on is only warned, as space may come.
  void require_room(bool fresh);
  // What checkpoints are ranked by; call it after each step.
  void took(const StepReport& report);

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
  // For the present step, if it is to be `saved_now`, and for those to come. Of the first rank.
  CheckpointRoom room(bool saved_now, std::size_t most);
  void warn_of_space(const CheckpointRoom& room);

  Generation generation_;
  CheckpointStore store_;
  TrainConfig config_;
  std::string configuration_;
  const Model& model_;
  TrainingEngine& engine_;
  const Mesh& mesh_;
  std::unique_ptr<CheckpointWriter> writer_;
  std::string last_error_, shortage_;
  SmoothedLoss smoothed_loss_;
};

}  // namespace edt
