// Runs the kernels of a dry step on a real backend, in the order in which training runs them,
// so that caches are as full as they are then.
#pragma once

#include "model/plan/cluster.h"
#include "model/plan/dry_run.h"
#include "parallel/comm/communicator.h"

namespace edt {

struct KernelTimingOptions {
  int rounds = 3;   // after one that warms up
  int samples = 6;  // of a kernel in a round; it is left out afterwards
};

struct KernelTiming {
  KernelTimes times;
  double launch = 0;          // s of host work for each kernel, measured without kernels
  double process_memory = 0;  // bytes resident beside what the step asked for
};

// All ranks measure at the same time, as they train; all get the mean over ranks.
KernelTiming time_kernels(const PlannedStep& step, Backend& backend, Communicator& ranks,
                          const KernelTimingOptions& options);

}  // namespace edt
