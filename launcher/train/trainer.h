// A training run: everything is opened and checked in the constructor, then step by step until the
// last one, a signal, or an error.
#pragma once

#include <memory>
#include <string>

#include "core/base/clock.h"
#include "data/picture_decoder.h"
#include "data/prefetcher.h"
#include "launcher/command.h"
#include "launcher/evaluate/held_out.h"
#include "launcher/recipe/train_config.h"
#include "launcher/run/run_directory.h"
#include "launcher/signals.h"
#include "launcher/trace/step_trace.h"
#include "launcher/train/ceiling_gauge.h"
#include "launcher/train/grid_budget.h"
#include "launcher/train/requests.h"
#include "launcher/train/run_checkpoints.h"
#include "launcher/train/run_recording.h"
#include "launcher/train/sample_grid.h"
#include "launcher/train/spike_detector.h"
#include "launcher/train/step_log.h"
#include "launcher/train/training_judge.h"
#include "model/recipe/training.h"
#include "parallel/health/watchdog.h"
#include "parallel/sharding/mesh.h"

namespace edt {

class Trainer {
 public:
  // Throws UsageError, DataError or CheckpointError before anything of an earlier run is touched.
  // `configuration` is the effective configuration as INI text. All ranks of `world` call it.
  Trainer(const TrainConfig& config, const std::string& configuration, Communicator& world);
  ~Trainer();

  // Exit status: done, or stopped on request after saving. `silent`: no progress bar.
  int run(bool silent, const StopSignals& signals);

 private:
  void note_failure(int status, std::string_view what) const;
  int train(bool silent, const StopSignals& signals);
  StepRecord take_step(data::Prefetcher& batches);
  // Trains until the last step or a request; what ended it.
  Request step_until_told(const RunRequests& requests, SampleGrid* samples, bool silent);
  void tell_turns() const;
  // The first rank's log from the next step on.
  std::unique_ptr<StepLog> open_step_log() const;
  void start(const std::string& configuration);  // goes on, or begins
  std::unique_ptr<RunRecording> make_recording(const std::string& configuration);
  std::unique_ptr<Communicator> make_activations();
  // Why the step just taken is to be undone; empty: it stands.
  std::string reason_to_roll_back(const StepReport& report) const;
  // Back to the newest checkpoint; the batches since are skipped.
  void roll_back(const std::string& why);
  void look_for_spikes(StepRecord& record);
  // What the weights after the step are worth, where that is due.
  void judge(StepRecord& record);
  void take_held_out_loss(StepRecord& record);
  void judge_samples(StepRecord& record);
  // Whether the first rank's clock says that there is no time for it.
  bool has_no_time(const GridBudget& budget, std::string_view what) const;
  // Seconds that it took from training.
  void look_at_data();
  double save(StepLog* log);
  double save_averages();
  int end(Request request, const RunRequests& requests);
  // `log` nullptr: on ranks that keep none. Seconds that it took from training.
  double draw_samples(StepLog* log, SampleGrid& samples);
  void check_finite(const StepReport& report) const;
  data::OrderOptions order_options() const;
  std::unique_ptr<data::Prefetcher> open_batches() const;
  void phase(std::string_view name) { recorder_->phase(name); }
  Communicator& world() const { return mesh_.world(); }
  TensorGroup tensor_ranks() const { return {&mesh_.tensor(), activations_.get()}; }

  TrainConfig config_;
  data::Dataset dataset_;
  data::Holdout holdout_;
  ModelConfig model_config_;
  std::shared_ptr<FlightRecorder> recorder_;
  std::unique_ptr<Watchdog> watchdog_;
  std::unique_ptr<StepTrace> trace_;  // outlives what it listens to
  Mesh mesh_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<RunRecording> recording_;              // null: nothing is recorded
  std::shared_ptr<const data::PictureDecoder> decoder_;  // of samples; null: nobody sees them
  std::unique_ptr<TrainingJudge> judge_;                 // null: samples are not judged
  std::unique_ptr<Communicator> activations_;            // of the tensor ranks
  SpikeDetector detector_;
  Training training_;
  TrainingEngine& engine_;
  RunDirectory directory_;
  RunCheckpoints checkpoints_;
  bool resumed_ = false, silent_ = false, data_is_gone_ = false;
  int rolled_back_ = 0;  // times in a row to before the same step
  std::int64_t rolled_back_from_ = 0;
  std::unique_ptr<CeilingGauge> ceiling_;
  std::unique_ptr<AverageSampler> average_;  // null: nothing is sampled
  GridBudget grid_budget_, judge_budget_;
  std::optional<HeldOutSamples> held_out_;
  Clock::time_point began_;  // training, after the start
};

}  // namespace edt
