// A training run: everything is opened and checked in the constructor, then step by step until the
// last one, a signal, or an error.
#pragma once

#include <memory>
#include <string>

#include "data/prefetcher.h"
#include "launcher/command.h"
#include "launcher/run_directory.h"
#include "launcher/signals.h"
#include "launcher/train/config.h"
#include "launcher/train/requests.h"
#include "launcher/train/run_checkpoints.h"
#include "launcher/train/sample_grid.h"
#include "launcher/train/step_log.h"
#include "model/training/engine.h"
#include "parallel/health/watchdog.h"
#include "parallel/mesh.h"

namespace edt {

class Trainer {
 public:
  // Throws UsageError, DataError or CheckpointError before anything of an earlier run is touched.
  // `configuration` is the effective configuration as INI text. All ranks of `world` call it.
  Trainer(const TrainConfig& config, const std::string& configuration, Communicator& world);
  ~Trainer();

  // Exit status: done, or stopped on request after saving. `silent`: no progress bar.
  int run(bool silent, const StopSignals& signals);

  FlightRecorder& recorder() { return *recorder_; }

 private:
  int train(bool silent, const StopSignals& signals);
  StepRecord take_step(data::Prefetcher& batches);
  // Trains until the last step or a request; what ended it.
  Request step_until_told(data::Prefetcher& batches, const RunRequests& requests, StepLog* log,
                          SampleGrid* samples);
  // Seconds that it took from training.
  double save(StepLog* log);
  int end(Request request, const RunRequests& requests);
  // `log` nullptr: on ranks that keep none.
  void draw_samples(StepLog* log, SampleGrid& samples);
  void check_finite(const StepReport& report) const;
  std::unique_ptr<data::Prefetcher> open_batches() const;
  void phase(std::string_view name) { recorder_->phase(name); }
  // FLOP/s of all ranks together.
  double measure_ceiling() const;
  Communicator& world() const { return mesh_.world(); }

  TrainConfig config_;
  data::Dataset dataset_;
  ModelConfig model_config_;
  std::shared_ptr<FlightRecorder> recorder_;
  std::unique_ptr<Watchdog> watchdog_;
  Mesh mesh_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  TrainingEngine engine_;
  RunDirectory directory_;
  RunCheckpoints checkpoints_;
  bool resumed_ = false;
  double ceiling_rate_ = 0;
};

}  // namespace edt
