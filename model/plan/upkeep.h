// What a training of many devices pays for failures: checkpoints, work that is done again,
// restarts.
#pragma once

#include <optional>
#include <string_view>

#include "model/plan/predict.h"

namespace edt {

// A checkpoint of all ranks in one directory, as parallel/checkpoint writes it: a file of each rank
// and two of the first, copied while the step waits, written while training goes on.
struct PlannedCheckpoint {
  double bytes = 0;
  std::int64_t files = 0, operations = 0;  // on the directory: made, opened, renamed, removed
  double copy_seconds = 0, write_seconds = 0, read_seconds = 0;
};

struct Upkeep {
  PlannedCheckpoint checkpoint;
  double between_failures = 0;  // s, of the whole job
  double interval = 0;          // s between checkpoints, the best
  double lost = 0;              // s that a failure costs: restart, reading, work done again
  double effective = 1;         // share of the time in which steps are done that stay
  std::string_view limit;       // what costs most
};

// The best interval, Daly's (2006, Future Generation Computer Systems 22, equation 37; to first
// order Young's sqrt(2 cost between)), of checkpoints for which steps wait `cost` s.
double best_interval(double cost, double between_failures);

// Daly's complete model (equation 20): the share of the time that stays, where a failure costs
// `restart` s beside the work since the last checkpoint.
double effective_share(double interval, double cost, double restart, double between_failures);

PlannedCheckpoint plan_checkpoint(const Prediction& prediction, const Cluster& cluster);
// Nothing where the cluster does not say how often devices fail and what its storage takes.
std::optional<Upkeep> plan_upkeep(const Prediction& prediction, const Cluster& cluster);

}  // namespace edt
