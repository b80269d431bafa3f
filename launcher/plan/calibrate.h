// Describes the machine this job runs on, as measured for the kernels of one step.
#pragma once

#include "model/plan/cluster.h"
#include "model/plan/dry_run.h"
#include "parallel/comm/communicator.h"

namespace edt {

// All ranks of `world` together; a device is what one of them has. `before` is what is known
// already: kernels that are not measured now, and links that this job does not have, stay.
Cluster calibrate(const PlannedStep& step, Backend& backend, Communicator& world, int rounds,
                  Cluster before);

}  // namespace edt
