// What training has cost so far, by the metrics of a run.
#pragma once

#include <cstdint>
#include <filesystem>

namespace edt {

struct TrainingCost {
  std::int64_t steps = 0;
  double seconds = 0;  // of data, compute, communication, update: not of what is beside training
  double flops = 0;    // of the model, forward and backward
};

// Of all steps in metrics.jsonl; none where it is not there.
TrainingCost training_cost(const std::filesystem::path& metrics);

// Steps that bring the cost to `limit` at the mean of those before, at least one. `cost` has some.
std::int64_t steps_until(double spent, double limit, std::int64_t steps);

}  // namespace edt
