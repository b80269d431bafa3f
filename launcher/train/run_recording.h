// Records steps of a training run (run.record-steps): what stands between its engine and what the
// engine works with. A run that records nothing has none of it.
#pragma once

#include <memory>

#include "core/ops/backend.h"
#include "core/record/call_recorder.h"
#include "data/prefetcher.h"
#include "launcher/recipe/train_config.h"
#include "launcher/train/run_changes.h"
#include "model/recipe/training.h"
#include "parallel/sharding/mesh.h"

namespace edt {

class RunRecording {
 public:
  // All ranks call it. `backend` and `mesh` outlive it.
  RunRecording(const RunOptions& run, const RunIdentity& identity, Backend& backend, Mesh& mesh);

  // What the engine works with instead.
  Backend& backend() const { return *backend_; }
  Communicator& data_ranks() const { return *data_ranks_; }
  // The same for the activations of tensor ranks.
  std::unique_ptr<Communicator> activations(std::unique_ptr<Communicator> ranks);
  // What there is to record; once, when the directory of the run is there.
  void begin(Training& training);

  void step_begins(std::int64_t step) { recorder_.step_begins(step); }
  void micro_batch_begins(std::int64_t index, const data::Batch& batch);
  void micro_batch_ends() { recorder_.micro_batch_ends(); }
  // As the engine tells it.
  void phase(std::string_view name);
  void step_ends(TrainingEngine& engine);

 private:
  Backend& device_;
  std::filesystem::path directory_;
  CallRecorder recorder_;
  std::vector<OwnPiece> weights_;  // of the state
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Communicator> data_ranks_;
};

}  // namespace edt
