// A study of quality over cost: arms trained one after another on the same data, each to the same
// budget and with several seeds, measured on the way. A run is a run directory, a measurement a
// file that is complete or absent: a study goes on wherever it stopped.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "launcher/command.h"
#include "launcher/quality/arms.h"
#include "launcher/quality/measure.h"
#include "launcher/quality/training_cost.h"
#include "launcher/recipe/train_config.h"
#include "launcher/signals.h"

namespace edt {

struct QualityStudyOptions {
  std::filesystem::path data, out;
  ArmOptions arm;
  std::vector<std::string> arms;  // keys
  std::vector<std::int64_t> seeds{0, 1, 2};
  double seconds = 100, flops = 0;  // of training of a run; one of them, the other is 0
  int points = 6;                   // measurements of a run, at equal parts of the budget
  std::int64_t batch = 32;
  std::int64_t micro_batch = 0;  // 0: chosen as edt train does
  double holdout = 0.1;
  std::vector<std::string> train;  // of all arms: "--run.dtype=bf16", ...
  MeasureOptions measure;
};

struct QualityPoint {
  TrainingCost cost;
  std::int64_t images = 0;
  MeasuredQuality quality;
};

// One arm with one seed.
struct QualityTask {
  std::size_t arm = 0;  // of the study's
  std::int64_t seed = 0;
};

struct QualityRun {
  QualityTask task;
  std::vector<QualityPoint> points;  // as far as it has come, by cost
};

class QualityStudy {
 public:
  // All ranks. UsageError where the directory holds a study of other options, naming both values.
  QualityStudy(const QualityStudyOptions& options, Backend& backend, Communicator& ranks);

  const QualityStudyOptions& options() const { return options_; }
  const std::vector<QualityArm>& arms() const { return arms_; }
  // Seed by seed, so that what is there after a while compares all arms.
  std::vector<QualityTask> tasks() const;
  std::filesystem::path run_directory(const QualityTask& task) const;
  std::filesystem::path grid_file(const QualityTask& task) const;

  // Trains and measures what is missing of it. False where it was told to stop. `say` is told what
  // has been done. All ranks.
  bool run(const QualityTask& task, const StopSignals& signals,
           const std::function<void(const std::string&)>& say);
  // What is measured of a task; reads files alone.
  QualityRun result(const QualityTask& task) const;
  bool is_complete(const QualityTask& task) const;
  // Of tasks with a measurement.
  std::vector<QualityRun> results() const;

 private:
  struct Recipe {
    TrainConfig config;
    std::string text;  // of config.ini
  };
  void check_directory() const;
  // Configuration of a run to so many steps. UsageError where the arm cannot be trained so.
  Recipe recipe(const QualityTask& task, std::int64_t steps) const;
  std::filesystem::path point_file(const QualityTask& task, int point) const;
  std::optional<QualityPoint> point(const QualityTask& task, int point) const;
  double spent(const TrainingCost& cost) const;
  double budget() const;
  // To that share of the budget. False where it was told to stop.
  bool train(const QualityTask& task, double share, const StopSignals& signals);
  TrainingCost cost_of(const QualityTask& task) const;
  std::int64_t saved_step(const QualityTask& task) const;  // 0: none
  void measure(const QualityTask& task, int point);

  QualityStudyOptions options_;
  std::vector<QualityArm> arms_;
  data::Dataset dataset_;
  Communicator& ranks_;
  QualityMeter meter_;
};

}  // namespace edt
