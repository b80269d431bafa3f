// What the Slurm of this site is set to, as far as a training run depends on it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "launcher/machine/machine.h"

namespace edt {

struct SlurmSite {
  std::string version;
  std::vector<std::string> mpi_types;  // that srun offers
  bool job_requeue = false;            // jobs may be requeued unless they say otherwise
  int kill_wait = 0;                   // seconds between SIGTERM and SIGKILL
  int node_timeout = 0;                // seconds until a silent node counts as dead

  bool has_pmix() const;
};

// From the output of `scontrol show config` and `srun --mpi=list`.
SlurmSite parse_slurm_site(const std::string& configuration, const std::string& mpi_list);
// Nothing where there is no Slurm, or its controller does not answer.
std::optional<SlurmSite> probe_slurm_site();

// Bytes of the largest node, from what `sinfo --format=%m` prints (MiB; 1 where the site does not
// say).
std::optional<double> parse_largest_node(const std::string& sinfo);
// Of that partition, or the default one. Nothing where there is no Slurm or it does not know.
std::optional<double> probe_largest_node(const std::string& partition);

std::vector<Finding> findings(const SlurmSite& site);
nlohmann::ordered_json to_json(const SlurmSite& site);

}  // namespace edt
