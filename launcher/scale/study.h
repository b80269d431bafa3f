// A scaling study: which points it has, what is measured already, and how the rest is run. A
// measurement is one file, complete or absent, so a study goes on wherever it stopped.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "launcher/bench/step_bench.h"

namespace edt {

enum class Scaling { kStrong, kWeak };  // one batch for all ranks; one for each data rank

struct ScalePoint {
  Scaling scaling = Scaling::kWeak;
  int ranks = 1, tensor = 1, zero = 1;
  std::int64_t accumulate = 1;  // micro-batches of a data rank

  int data_ranks() const { return ranks / tensor; }
  std::string key() const;     // "weak-r4-t2-z1"
  std::string series() const;  // "weak, tensor 2, zero 1"
};

struct StudyOptions {
  StepBenchOptions step;       // its zero stage and accumulation come from the points
  std::string step_arguments;  // options of `edt bench step` that say the same
  std::int64_t strong_batch = 0, weak_batch = 0;  // images; 0: not studied
  std::vector<int> ranks{1, 2}, tensor{1}, zero{1};
  int repeats = 3;
};

struct StudyPlan {
  std::vector<ScalePoint> points;
  std::vector<std::string> left_out;  // and why
};
// Throws UsageError where nothing is left.
StudyPlan plan_study(const StudyOptions& options);

class Study {
 public:
  // Creates `directory`, or goes on with the study in it. Throws UsageError, naming both values,
  // where that was begun with other options.
  Study(std::filesystem::path directory, const StudyOptions& options);

  // What `edt bench step` said; nothing where that has not been measured.
  std::optional<nlohmann::json> result(const ScalePoint& point, int repeat) const;
  std::vector<nlohmann::json> results(const ScalePoint& point) const;

  // Measures one point on ranks started by `launch`, in which {ranks} stands for their number.
  void measure(const ScalePoint& point, int repeat, const std::string& launch) const;

  // Writes a job array for each number of ranks, and submit.sh.
  void write_jobs(const std::vector<ScalePoint>& points, const std::filesystem::path& to) const;

  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path result_file(const ScalePoint& point, int repeat) const;
  std::string arguments(const ScalePoint& point) const;

  std::filesystem::path directory_;
  StudyOptions options_;
};

}  // namespace edt
