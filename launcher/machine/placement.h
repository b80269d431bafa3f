// Where the ranks of a job run: on which cores, and whether those fit the memory domains of their
// node. A thread reaches the memory of its own domain faster than that of another.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "launcher/machine/machine.h"
#include "launcher/machine/topology.h"
#include "parallel/comm/communicator.h"

namespace edt {

// What a rank tells the others of itself.
struct RankReport {
  std::string host;
  int process = 0;
  int job_cores = 0;           // of its node, with all their hardware threads
  bool fixed_threads = false;  // openmp_is_bound()
  CoreSet bound;
  CoreSet used;  // whole_cores() of them
  std::vector<MemoryDomain> domains;
};

// A rank's place among those of its node, where it binds itself.
struct NodeShare {
  int ranks = 0, index = 0;  // 0: it stays where it was started
};
// For each rank. Ranks whose launcher or OpenMP has bound them stay, and those of one process.
std::vector<NodeShare> shares_of(const std::vector<RankReport>& reports);

struct RankPlace {
  int rank = 0;
  CoreSet cores, used;
  bool fixed_threads = false;
};

struct NodePlacement {
  std::string host;
  std::vector<MemoryDomain> domains;
  int cores = 0;  // of this job there; several jobs may share a node
  std::vector<RankPlace> ranks;
};

// The cores of rank `index` of `ranks` that were all left to run on `cores`: those of its memory
// domain, of several neighbouring ones where there are fewer ranks, of one that it shares where
// there are more. Nothing where one domain holds them all, or they cannot be shared evenly.
std::optional<CoreSet> share_of_domains(const std::vector<MemoryDomain>& domains,
                                        const CoreSet& cores, int ranks, int index);

enum class Binding { kMemoryDomains, kAsStarted };

// Binds the ranks of each node that its launcher has left to run on the same cores, each to its
// share, unless the environment binds OpenMP's threads already, or one of the ranks is to stay. All
// ranks call it; on rank 0 the nodes in the order of their first ranks, elsewhere none.
std::vector<NodePlacement> place_ranks(Communicator& ranks, Binding binding);

// How many ranks of the first rank's node run on its cores.
int sharing_ranks(const std::vector<NodePlacement>& nodes);

// "node1 has 2 memory domains, its 2 ranks run on cores 0-15 | 16-31", of such nodes.
std::vector<std::string> placement_lines(const std::vector<NodePlacement>& nodes);

// What does not fit, with what to start instead.
std::vector<Finding> findings(const std::vector<NodePlacement>& nodes);

nlohmann::ordered_json to_json(const NodePlacement& node);

}  // namespace edt
