// Rounds of collectives between pairs of ranks, all pairs at once, and what computing and
// communicating at once cost each other.
#pragma once

#include <functional>

#include "model/plan/cluster.h"
#include "parallel/comm/communicator.h"

namespace edt {

// How the ranks of a job lie on hosts: the same number on each, in order.
struct Hosts {
  int nodes = 1, ranks_of_node = 1;
};
// Throws UsageError where nodes have different numbers of ranks, or ranks are not in order.
Hosts find_hosts(Communicator& world);

// Times of the pairs (r, r ^ distance); ranks without a partner wait. All ranks get the slowest
// pair's.
Link time_link(Communicator& world, int distance);

// The fastest of `samples` rounds in which both ranks of `pair` send `bytes` at once, in s; 0 for a
// rank that is alone in it.
double time_exchange(Communicator& pair, double bytes, int samples);

struct OverlapRates {
  double compute = 1, communication = 1;
};
// `compute` is run over and over while a thread of its own reduces between pairs at `distance`.
OverlapRates time_overlap(Communicator& world, int distance, const std::function<void()>& compute);

}  // namespace edt
