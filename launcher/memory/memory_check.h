// Whether a training step fits in the memory that is there: asked before a run takes any, of the
// code that plans.
#pragma once

#include "core/tensor/memory.h"
#include "model/plan/dry_run.h"
#include "model/plan/sampler_run.h"
#include "parallel/comm/communicator.h"

namespace edt {

// What a rank has beside what a plan counts: code, kernel scratch, MPI. Measured on CPUs
// (docs/plan.md).
inline constexpr double kProcessBytes = 50.0 * (1 << 20);
// Of a GPU's memory: kernel scratch, cuBLASLt's workspace, NCCL. An assumption.
inline constexpr double kGpuProcessBytes = 1024.0 * (1 << 20);

// Throws UsageError with both values, and with what would fit where something does.
void require_memory(const PlannedStep& step, double available, const std::string& where,
                    double process_bytes = kProcessBytes);

struct AvailableMemory {
  std::string where;
  double bytes = 0;
  double process_bytes = 0;  // of them, what a rank takes beside what a plan counts
};
// What is free now: of the device, or of the node `host` that this process runs on.
AvailableMemory available_memory(const Memory& memory, const std::string& host);

// The least that is free for any rank, which some share a node's memory or a GPU with. All ranks of
// `world` get the same.
AvailableMemory memory_of_each_rank(const Memory& memory, Communicator& world);

// The same against what is free for this rank, where some share a node's memory or a GPU. All ranks
// of `world`.
void require_free_memory(const PlannedStep& step, const Memory& memory, Communicator& world);

// Of a sampler on each of the ranks. `option`, which gives the pictures made together, is named
// with a number that would fit, where one does. All ranks of `world`.
void require_free_memory(const PlannedSampler& sampler, std::string_view option,
                         const Memory& memory, Communicator& world);

}  // namespace edt
