// Rounds of collectives between pairs of ranks, all pairs at once, and what computing and
// communicating at once cost each other.
#pragma once

#include <functional>
#include <memory>

#include "model/plan/cluster.h"
#include "parallel/comm/communicator.h"

namespace edt {

// How the ranks of a job lie on hosts: the same number on each, in order.
struct Hosts {
  int nodes = 1, ranks_of_node = 1;
};
// Throws UsageError where nodes have different numbers of ranks, or those of one are not
// neighbours.
Hosts find_hosts(Communicator& world);

// The rank that `rank` is measured with: another one of its node, or the one with its place on the
// next node. `rank` itself where there is none.
int partner_in_node(int rank, const Hosts& hosts);
int partner_between_nodes(int rank, const Hosts& hosts);

// Times of this rank and `partner`, who names this one; alone it waits. All ranks get the slowest
// pair's.
Link time_link(Communicator& world, int partner);

// Rounds in which this rank and `partner` send `bytes` at once. All ranks make it together.
class PairExchange {
 public:
  PairExchange(Communicator& world, int partner, double bytes);
  double seconds();  // of one round; 0 for a rank that is alone

 private:
  std::unique_ptr<Communicator> pair_;
  double bytes_;
};

struct OverlapRates {
  double compute = 1, communication = 1;
};
// `compute` is run over and over while a thread of its own reduces with `partner`.
OverlapRates time_overlap(Communicator& world, int partner, const std::function<void()>& compute);

}  // namespace edt
