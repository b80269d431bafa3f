// One run as it is seen from outside: everything that the terminal, the page and the JSON show. Its
// directory is only read.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "launcher/watch/log_warnings.h"
#include "launcher/watch/loss_forecast.h"
#include "launcher/watch/metrics_history.h"
#include "launcher/watch/pace.h"
#include "launcher/watch/run_files.h"
#include "launcher/watch/run_recipe.h"
#include "launcher/watch/run_state.h"

namespace edt {

class RunView {
 public:
  // UsageError where there is no directory or nothing of a run in it.
  RunView(std::filesystem::path directory, std::string name);

  // Looks again; `now` in seconds since 1970.
  void refresh(double now);
  // Where the loss is forecast from the next look on, instead of at the last step of the run; 0:
  // not at all.
  void forecast_at(std::int64_t step) { forecast_step_ = step; }

  const std::string& name() const { return name_; }
  const std::filesystem::path& directory() const { return directory_; }
  double now() const { return now_; }
  const RunState& state() const { return state_; }
  const std::optional<RunRecipe>& recipe() const { return recipe_; }
  const MetricsHistory& metrics() const { return metrics_; }
  const std::vector<CheckpointFile>& checkpoints() const { return checkpoints_.files(); }
  const std::vector<SampleFile>& samples() const { return samples_; }
  const LogWarnings& warnings() const { return warnings_; }
  const std::optional<Pace>& pace() const { return pace_; }
  // Of the loss, or why there is none; nothing where no step is known that it could be of.
  const std::optional<LossForecast>& forecast() const { return forecast_; }

  std::int64_t step() const;         // the last one recorded; 0: none
  std::int64_t total_steps() const;  // 0: unknown
  double progress() const;           // 0 to 1
  // Of training still to be done at the present pace; nothing where it is not known or done.
  std::optional<double> seconds_left() const;
  // Seconds since the last step was recorded; nothing where that is not known.
  std::optional<double> seconds_since_step() const;
  // Running, but no step for much longer than one takes.
  bool is_late() const;
  // Whether the present start of a run that goes on has taken a step.
  bool has_stepped() const;
  // The matrix-product ceiling in FLOP/s as the last start measured it; nothing where it did not.
  std::optional<double> ceiling() const;

 private:
  void look_ahead();

  std::filesystem::path directory_;
  std::string name_;
  double now_ = 0;
  RunState state_;
  std::optional<RunRecipe> recipe_;
  MetricsHistory metrics_;
  CheckpointList checkpoints_;
  LogWarnings warnings_;
  std::vector<SampleFile> samples_;
  std::optional<Pace> pace_;
  std::optional<std::int64_t> forecast_step_;  // as it was asked for
  std::optional<LossForecast> forecast_;
};

using RunViews = std::vector<std::unique_ptr<RunView>>;

// One view for each directory, with names as short as tells them apart. UsageError for a directory
// that is named twice.
RunViews open_runs(const std::vector<std::filesystem::path>& directories);

// The shortest ends of the paths that differ: "s2" and "b2", or "a/s2" and "b/s2".
std::vector<std::string> distinct_names(const std::vector<std::filesystem::path>& paths);

}  // namespace edt
