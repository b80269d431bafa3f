// What the ranks of a job have, side by side: what differs between nodes that should be alike.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "launcher/machine/machine.h"
#include "parallel/comm/communicator.h"

namespace edt {

struct NodeSummary {
  std::string host, cpu_model, versions;
  int ranks = 0;
  int cores_usable = 0;  // by one of its ranks
  std::uint64_t memory_available = 0, shared_memory_free = 0;
  bool sees_directory = true;  // and the file that the first rank has just made there
};

// In the order of their first ranks; on rank 0, empty elsewhere. All ranks call it. `directory` is
// where data or checkpoints are to go.
std::vector<NodeSummary> survey(const Machine& machine, const std::filesystem::path& directory,
                                const std::string& versions, Communicator& ranks);

std::vector<Finding> findings(const std::vector<NodeSummary>& nodes,
                              const std::filesystem::path& directory);
nlohmann::ordered_json to_json(const NodeSummary& node);

}  // namespace edt
