#include "parallel/sharding/shard_groups.h"

#include "parallel/comm/rank_groups.h"

namespace edt {

std::vector<int> shard_group_sizes(int ranks) {
  const int subtree = RankGroups::of(ranks).size;
  std::vector<int> sizes;
  for (int size = 1; size <= subtree; size *= 2) sizes.push_back(size);
  if (subtree < ranks) sizes.push_back(ranks);
  return sizes;
}

}  // namespace edt
