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
                                     Wire wire = Wire::kExact);

// Bytes that the busiest rank sends.
double wire_bytes(CollectiveKind kind, int ranks, double bytes, Wire wire = Wire::kExact);

double collective_seconds(const PlannedCollective& collective, const Cluster& cluster);

}  // namespace edt
