// Data ranks as groups of neighbours that each hold the state once (hybrid sharding: FSDP, arXiv
// 2304.11277, section 3.2; MiCS, arXiv 2205.00119). Ranks with the same place in their groups are
// replicas: they hold the same part.
//
//   8 ranks, groups of 4:   0 1 2 3 | 4 5 6 7     rank 5 is a replica of rank 1
#pragma once

#include <vector>

namespace edt {

struct ShardGroups {
  int size = 1;   // ranks that a state is cut over
  int count = 1;  // replicas of each part

  int group_of(int rank) const { return rank / size; }
  int place_of(int rank) const { return rank % size; }
};

// Sizes of groups over which sums keep their bits: all ranks, and the powers of two that divide
// them, as a group is then a subtree of the sum (sum_tree.h). Ascending.
std::vector<int> shard_group_sizes(int ranks);

}  // namespace edt
