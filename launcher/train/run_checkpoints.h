// Between a training engine and its checkpoints: what is saved, and how a run goes on from it.
#pragma once

#include <memory>
#include <string>

#include "launcher/recipe/latent_space.h"
#include "launcher/recipe/train_config.h"
#include "launcher/run/run_directory.h"
#include "launcher/train/disk_preflight.h"
#include "launcher/train/run_averages.h"
#include "launcher/train/run_changes.h"
#include "launcher/train/smoothed_loss.h"
#include "model/training/engine.h"
#include "parallel/checkpoint/checkpoint.h"
#include "parallel/checkpoint/writer.h"
#include "parallel/sharding/mesh.h"

namespace edt {

class RunCheckpoints {
 public:
  // `identity`: the effective configuration and the data set, kept in every checkpoint.
  RunCheckpoints(const RunDirectory& directory, const TrainConfig& config, RunIdentity identity,
                 const Model& model, TrainingEngine& engine, const Mesh& mesh);

  // Loads the newest intact checkpoint; later ones that are damaged are set aside. False when none
  // was ever saved; where some were, and none is intact, CheckpointError, and all is left as it is,
  // unless the options say that the run may begin anew.
  // Throws CheckpointError when it is of another model, optimizer or sampler, and where options
  // that change the curve are others and nobody accepts that.
  bool restore();
  // What differs from the checkpoint that was loaded first: "train.batch 4 -> 8".
  const std::string& changes() const { return changes_; }
  // For a run that is not to go on. Throws UsageError when there are checkpoints that it would mix
  // with.
  void begin_without();
  // The first weights of a run that begins: drawn, or the moving average of run.init-from. Parts
  // that it lacks are drawn; half a part is refused. All ranks call it.
  void begin();

  // Throws UsageError, on all ranks, where a fresh run has no space for the first checkpoints and
  // what is kept meanwhile; a run that goes on is only warned, as space may come.
  void require_space(bool fresh);
  // What checkpoints are ranked by; call it after each step. `judged`: as CheckpointInfo has it.
  void took(const StepReport& report, std::map<std::string, double> judged);

  // Saves the state after the present step. Returns once it is copied, or written when so asked.
  void save();
  // A snapshot of the power-function averages after the present step, where one is due; whether.
  bool save_averages();
  // Logs how earlier saves ended. A failed one does not stop training.
  void report();
  // The step of a checkpoint that has become complete since the last call; 0: none.
  std::int64_t take_saved() { return std::exchange(saved_, 0); }
  // Waits until the last save is on disk; throws SystemError when it failed.
  void finish();

 private:
  void start_from_weights(const Checkpoint& checkpoint);
  void begin_scales(const Checkpoint& checkpoint);
  Checkpoint initial_checkpoint();
  void require_equal_parts(const Checkpoint& checkpoint);
  void go_on_from(const Checkpoint& checkpoint);
  void restore_companions(const Checkpoint& checkpoint);
  void allow_beginning_anew(const CheckpointChoice& choice);
  void check_metrics(const Checkpoint& checkpoint);
  // Says what differs from a checkpoint, once, and refuses what nobody accepts. All ranks call it.
  void check_changes(const Checkpoint& checkpoint);
  CheckpointInfo info() const;
  std::vector<StateArray> arrays();
  // The arrays as a checkpoint sees them: all that this rank has, or its share of a save.
  CheckpointState held(std::vector<StateArray> arrays);
  CheckpointState saved();
  // Fills `arrays`, which may lie in the memory of a device.
  void load(const Checkpoint& checkpoint, std::vector<StateArray> arrays,
            PartsRule rule = PartsRule::kEqual);
  std::vector<TensorPart> parts() const;
  std::vector<ExtraArray> extras();
  // For the present step, if it is to be `saved_now`, and for those to come. Of the first rank.
  DiskPreflight preflight(bool saved_now, std::size_t most);
  void warn_of_space(const DiskPreflight& preflight);
  void look_at_space();

  const RunDirectory& directory_;
  FencingToken token_;
  CheckpointStore store_;
  TrainConfig config_;
  RunIdentity identity_;
  const Model& model_;
  TrainingEngine& engine_;
  const Mesh& mesh_;
  std::unique_ptr<CheckpointWriter> writer_;
  std::unique_ptr<RunAverages> averages_;  // null: none are kept
  std::string last_error_, shortage_, changes_;
  bool is_compared_ = false;
  std::int64_t saved_ = 0;
  double last_loss_ = 0;
  SmoothedLoss smoothed_loss_;
  std::map<std::string, double> judged_;  // the weights of now
};

}  // namespace edt
