// Whether a training step fits in the memory that is there: asked before a run takes any, of the
// code that plans.
#pragma once

#include "model/plan/dry_run.h"
#include "parallel/communicator.h"

namespace edt {

// What a rank has beside what a plan counts: code, kernel scratch, MPI. Measured on CPUs
// (docs/plan.md).
inline constexpr double kProcessBytes = 50.0 * (1 << 20);

// Throws UsageError with both values, and with what would fit where something does.
void require_memory(const PlannedStep& step, double available, const std::string& where,
                    double process_bytes = kProcessBytes);

// The same against the free memory of this rank's node, shared by its ranks. All ranks of `world`.
void require_host_memory(const PlannedStep& step, Communicator& world);

}  // namespace edt
