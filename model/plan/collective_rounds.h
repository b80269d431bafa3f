// The rounds of a collective as parallel/comm/p2p_communicator.cpp takes them: how many bytes the
// busiest rank sends to a rank how far away. Tests hold it against counted messages.
#pragma once

#include <vector>

#include "model/plan/cluster.h"

namespace edt {

struct Round {
  // Between the numbers of the two ranks in their communicator; of several at once, the least.
  int distance = 1;
  double bytes = 0;  // that a rank sends
  bool reduces = false;
  bool spans_all = false;  // with ranks from the first group to the last
};

std::vector<Round> collective_rounds(CollectiveKind kind, int ranks, double bytes,
                                     double wire_share = 1);

// Bytes that the busiest rank sends.
double wire_bytes(CollectiveKind kind, int ranks, double bytes, double wire_share = 1);

// Where the ranks of a communicator are: neighbours are `stride` global ranks apart, and ranks fill
// one node after the other.
struct Placement {
  int ranks = 1;
  int stride = 1;
};

double collective_seconds(const PlannedCollective& collective, const Placement& placement,
                          const Cluster& cluster);

}  // namespace edt
