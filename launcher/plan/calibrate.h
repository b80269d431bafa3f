// Describes the machine this job runs on, as measured for the kernels of one step.
#pragma once

#include <filesystem>

#include "launcher/memory/memory_check.h"
#include "launcher/recipe/train_config.h"
#include "model/plan/cluster.h"
#include "model/plan/dry_run.h"
#include "parallel/comm/communicator.h"

namespace edt {

// All ranks of `world` together; a device is what one of them has. `before` is what is known
// already: kernels that are not measured now, and links that this job does not have, stay.
Cluster calibrate(const PlannedStep& step, Backend& backend, Communicator& world, int rounds,
                  Cluster before);

// The step of this recipe whose kernels are measured: two micro-batches, as one is accumulated onto
// the other, and nothing sharded.
PlannedStep step_to_calibrate(const TrainConfig& config, const ModelConfig& model);

// calibrate() into a cluster file, or added to the one that is there. All ranks call it.
Cluster calibrate_into(const std::filesystem::path& file, const PlannedStep& step, Backend& backend,
                       Communicator& world, int rounds);
// "here.ini: 1 node of 2, 151 kernels measured"
std::string calibration_text(const std::filesystem::path& file, const Cluster& cluster);

// Bytes that a rank has, and those of them that its process takes beside what a step asks for.
struct PlannedMemory {
  double bytes = 0, process_bytes = 0;
};
// On a GPU what each rank had of it (memory_of_each_rank) before the step was there, as a run asks
// for it; else the host's.
PlannedMemory planned_memory(const Memory& memory, const AvailableMemory& before,
                             const PlannedMemory& of_host);

}  // namespace edt
