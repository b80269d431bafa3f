// What a step costs on a cluster: memory of a rank, bytes on the wire, time and what limits it.
#pragma once

#include <optional>

#include "model/plan/dry_run.h"
#include "model/plan/simulate.h"

namespace edt {

struct Prediction {
  PlannedStep step;
  std::vector<MemoryUse> memory;
  double memory_bytes = 0;  // of a rank, with what the process has beside the plan
  double memory_available = 0;
  std::int64_t parameters = 0;                  // of a tensor rank
  double model_flops = 0, recompute_flops = 0;  // of a rank's step
  // That the busiest rank sends in a step.
  double gradient_wire = 0, weight_wire = 0, tensor_wire = 0;
  std::size_t kernel_calls = 0, measured_calls = 0;
  StepTime time;

  bool fits() const { return memory_bytes <= memory_available; }
  double images_per_second() const { return static_cast<double>(step.engine.batch) / time.seconds; }
  // Model FLOPs over what the matrix units could do in that time.
  double matrix_share(const Cluster& cluster) const {
    return model_flops / time.seconds / cluster.matrix_rate(step.engine.dtype);
  }
  // The largest loss against matrix products alone, in words.
  std::string limit() const;
};

Prediction predict(const PlannedStep& step, const Cluster& cluster);

}  // namespace edt
