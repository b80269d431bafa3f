// A training engine over fake memory, and the step it takes. Replays of its trace refer to these
// objects, so they are kept for as long as kernels are run again.
#pragma once

#include <memory>

#include "model/plan/dry_run.h"
#include "model/plan/recording_backend.h"
#include "model/plan/recording_communicator.h"
#include "model/training/array_batch.h"

namespace edt {

class DryStep {
 public:
  DryStep(const PlannedStep& step, bool keep_replays);
  ~DryStep();

  // One step; what an earlier one recorded is forgotten.
  void run_step();
  // The same without recording it.
  void run_unrecorded();
  // Only those micro-batches of a step that can take more memory than others, not recorded: memory
  // is then that of a whole step, nothing else is.
  void run_for_memory();
  DryRun result();
  DryMemory memory_result();
  const FakeMemory& memory() { return backend_->memory(); }

 private:
  std::vector<MemoryUse> memory_uses();

  Recorder recorder_;
  std::unique_ptr<RecordingBackend> backend_;
  RecordingCommunicator tensor_ranks_;
  TrainedNetworks networks_;  // until the training has them
  RecordingCommunicator data_ranks_;
  Training training_;
  TrainingEngine& engine_;
  std::vector<float> latents_;
  std::vector<std::int32_t> labels_;
  ArrayBatch arrays_;
  std::size_t sample_bytes_, evaluation_bytes_;
};

}  // namespace edt
