// What a run says of each step: metrics.jsonl, TensorBoard, and lines for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "launcher/evaluate/held_out.h"
#include "launcher/evaluate/quality.h"
#include "launcher/recipe/train_config.h"
#include "launcher/run/metrics.h"
#include "launcher/run/run_directory.h"
#include "launcher/run/tensorboard.h"
#include "launcher/text/progress.h"
#include "launcher/train/prometheus.h"
#include "model/training/engine.h"

namespace edt {

// One step as the trainer saw it; seconds of wall time.
struct StepRecord {
  StepReport report;
  std::int64_t images = 0;
  std::int64_t samples_seen = 0;
  double epoch = 0;
  double step_seconds = 0, data_seconds = 0, checkpoint_seconds = 0, ceiling_seconds = 0;
  double sample_seconds = 0;            // of a grid before the step
  double evaluation_seconds = 0;        // of what follows
  std::optional<HeldOutLoss> held_out;  // of the weights after the step
  std::optional<Quality> quality;       // of samples of their moving average
  std::string spike;                    // what stood out
  std::string rolled_back;              // why earlier steps were undone before this one
  std::string changed;                  // options that are others from this step on
  std::int64_t saved = 0;               // a checkpoint that has become complete; 0: none
  double flops = 0;                     // model FLOPs of the step
  double ceiling_rate = 0;              // FLOP/s; 0: not measured
  bool ceiling_is_due = false;

  // Of the ceiling; 0 where it was not measured.
  double ceiling_share() const {
    return ceiling_rate > 0 ? flops / step_seconds / ceiling_rate : 0;
  }
};

class StepLog {
 public:
  StepLog(const RunDirectory& directory, std::int64_t first_step, std::int64_t last_step,
          const RunOptions& options, ProgressStyle style);

  void write(const StepRecord& record);
  void image(std::int64_t step, std::string_view tag, std::string_view png);
  // On the disk when it returns.
  void sync() { metrics_.sync(); }

 private:
  FencingToken token_;
  MetricsWriter metrics_;
  std::optional<TensorBoardWriter> tensorboard_;
  std::optional<PrometheusFile> prometheus_;
  std::optional<Progress> bar_;
  std::int64_t line_every_, last_step_;
};

}  // namespace edt
