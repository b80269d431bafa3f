// Averages of weights, of any length, from the power-function averages that a run has kept: those
// of its snapshots and of its newest checkpoint.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/optim/power_average.h"
#include "parallel/checkpoint/checkpoint.h"

namespace edt {

// One of the averages that lie in a checkpoint.
struct StoredAverage {
  std::size_t checkpoint = 0;  // of KeptAverages
  std::string array;
  PowerProfile profile;
};

class KeptAverages {
 public:
  // Of a run directory: the snapshots in `averages`, and the newest intact checkpoint, which stands
  // for a snapshot of its step. Reads and verifies all of them; a damaged snapshot is left out with
  // a warning. CheckpointError where there is none, or where they are not of one run.
  static KeptAverages of_run(const std::filesystem::path& run);

  const std::vector<Checkpoint>& checkpoints() const { return checkpoints_; }  // by step
  const std::vector<StoredAverage>& stored() const { return stored_; }
  const Checkpoint& newest() const { return checkpoints_.back(); }

  // The stored averages nearest to that of a length at a step.
  PowerFit fit(double length, std::int64_t step) const;

  // Sums of all stored averages, by the weights of each fit; float64, rounded once. Each is as long
  // as the tensors together, one after the other in the order of the newest manifest.
  std::vector<std::vector<float>> sums(std::span<const PowerFit> fits) const;

  // Makes a checkpoint of `values` as the moving average, and of nothing else.
  void write(const std::vector<float>& values, const CheckpointInfo& info,
             const CheckpointStore& store) const;

 private:
  void add(Checkpoint checkpoint);

  std::vector<Checkpoint> checkpoints_;
  std::vector<StoredAverage> stored_;
};

}  // namespace edt
