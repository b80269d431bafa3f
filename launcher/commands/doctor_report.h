// What edt doctor has seen, for people and for scripts.
#pragma once

#include <optional>
#include <vector>

#include "launcher/command.h"
#include "launcher/device/gpu_probe.h"
#include "launcher/machine/machine.h"
#include "launcher/machine/placement.h"
#include "launcher/machine/rank_survey.h"
#include "launcher/plan/job_rates.h"
#include "launcher/slurm/slurm_site.h"
#include "launcher/train/disk_preflight.h"

namespace edt {

struct Examination {
  Machine machine;
  GpuProbe gpus;
  DirectoryProbe directory;
  std::optional<DiskPreflight> preflight;  // of a run directory
  std::optional<SlurmSite> slurm;
  std::vector<NodeSummary> nodes;
  std::vector<NodePlacement> placement;
  std::optional<JobRates> rates;  // where they were measured
  std::vector<Finding> findings;
};

void print_text(CommandContext& context, const Examination& seen);
void print_json(CommandContext& context, const Examination& seen);

}  // namespace edt
