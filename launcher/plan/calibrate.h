// Describes the machine this job runs on, as measured for the kernels of one step.
#pragma once

#include "launcher/memory/memory_check.h"
#include "model/plan/cluster.h"
#include "model/plan/dry_run.h"
#include "parallel/comm/communicator.h"

namespace edt {

// All ranks of `world` together; a device is what one of them has. `before` is what is known
// already: kernels that are not measured now, and links that this job does not have, stay.
Cluster calibrate(const PlannedStep& step, Backend& backend, Communicator& world, int rounds,
                  Cluster before);

// Bytes that a rank has, and those of them that its process takes beside what a step asks for.
struct PlannedMemory {
  double bytes = 0, process_bytes = 0;
};
// On a GPU what each rank had of it (memory_of_each_rank) before the step was there, as a run asks
// for it; else the host's.
PlannedMemory planned_memory(const Memory& memory, const AvailableMemory& before,
                             const PlannedMemory& of_host);

}  // namespace edt
