// Whether a training step fits in the memory that its job will have, where that is known before the
// job runs.
#pragma once

#include <string>

#include "launcher/slurm/slurm_script.h"
#include "model/plan/dry_run.h"

namespace edt {

// Memory of one rank of a job.
struct RankMemory {
  double bytes = 0;          // 0: not known
  double process_bytes = 0;  // of it, what a rank has beside what a plan counts
  std::string where;  // "each of the 2 ranks of a node with --mem 180G"; or why it is not known
};

// On GPUs, of the device that `plan_cluster` describes; else what the job asks for, what that
// cluster says, or what the largest node has by the word of Slurm, the first that is known.
RankMemory memory_of_rank(const SlurmRequest& request, bool on_gpus);

// Throws UsageError with both values and what would fit. Where nothing is known: one line that says
// so, else an empty text.
std::string check_job_memory(const PlannedStep& step, const RankMemory& memory);

}  // namespace edt
