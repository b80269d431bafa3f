// A batch script for one run: the directives, then cluster.sh and job.sh as they stand in slurm/,
// so that the script is complete by itself.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/options/options.h"

namespace edt {

struct SlurmRequest {
  int nodes = 1;
  int gpus_per_node = 0;
  int ranks_per_node = 0;  // 0: one per GPU, or one per node
  int cores_per_rank = 0;  // 0: its share of the node
  std::string time = "24:00:00";
  int warn = 300;  // seconds before the limit at which the run is told
  std::string name = "edt", partition, account, qos, constraint;
  std::string memory;              // of each node, as Slurm writes it; empty: what the site gives
  std::string plan_cluster;        // a cluster of edt plan: how much memory a device has
  std::vector<std::string> extra;  // further directives, as sbatch takes them
  std::filesystem::path cluster_file;  // in place of slurm/cluster.sh

  void declare(OptionSet& options);
  int ranks_of_node() const;
  int ranks() const { return nodes * ranks_of_node(); }
  // Bytes of each node that the job asks for, also among `extra`; nothing where it does not say.
  std::optional<double> node_memory() const;
};

// Seconds of a Slurm time: "minutes", "minutes:seconds", "hours:minutes:seconds", "days-hours",
// "days-hours:minutes", "days-hours:minutes:seconds". UsageError for anything else.
long slurm_seconds(const std::string& time);
// Bytes of a Slurm size: "4000" (MiB), "180G"; nothing for "0", all that the node has. UsageError
// for anything else.
std::optional<double> slurm_bytes(const std::string& size);

// `program`, `configuration` and `run` as paths that the nodes see.
std::string slurm_script(const SlurmRequest& request, const std::filesystem::path& program,
                         const std::filesystem::path& configuration,
                         const std::filesystem::path& run);

}  // namespace edt
