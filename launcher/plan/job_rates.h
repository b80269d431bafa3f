// How fast the nodes of a job and the links between them are, beside each other: all ranks at once,
// as they train.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/ops/backend.h"
#include "launcher/machine/machine.h"
#include "model/plan/dry_run.h"
#include "parallel/comm/communicator.h"

namespace edt {

// Of the slowest rank of a node, which the others wait for.
struct RankRate {
  int rank = 0;
  double rate = 0;
};

struct NodeRates {
  std::string host;
  RankRate products;  // FLOP/s, of the step's matrix products
  RankRate memory;    // bytes/s, of copies
  RankRate exchange;  // bytes/s in each direction, between ranks of the node; 0 where it has one
};

struct LinkRate {
  int first = 0, second = 0;  // nodes
  double rate = 0;            // bytes/s in each direction, of all their ranks together
};

struct JobRates {
  std::vector<NodeRates> nodes;
  std::vector<LinkRate> links;
};

// Which node `node` of `nodes` exchanges with in round 0, 1, ... of a tournament in which each
// meets every other once, in nodes - 1 rounds, or `nodes` where their number is odd; itself: it
// waits.
int partner_of(int node, int round, int nodes);

// Each node meets at most this many others; of more nodes not every link is measured.
inline constexpr int kMostRounds = 63;

// The fastest of several measurements each, so that what comes and goes is left out. On rank 0,
// empty elsewhere; all ranks call it. Throws UsageError where nodes have different numbers of
// ranks.
JobRates measure_job(const PlannedStep& step, Backend& backend, Communicator& world);

// Nodes, and links between two nodes whose other links are faster, that are slower than most by a
// fifth.
std::vector<Finding> findings(const JobRates& rates);

// A row for each node; "" where no rates were measured.
std::string rates_text(const JobRates& rates);
nlohmann::ordered_json to_json(const JobRates& rates);

}  // namespace edt
