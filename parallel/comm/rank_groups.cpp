#include "parallel/comm/rank_groups.h"

namespace edt {

std::vector<int> RankGroups::counterparts(int rank) const {
  std::vector<int> others;
  for (int group = 0; group < count; ++group) {
    if (group != group_of(rank)) others.push_back(counterpart(rank, group));
  }
  return others;
}

std::vector<Tensor> group_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                                int rank) {
  const RankGroups groups = RankGroups::of(static_cast<int>(bounds.size()) - 1);
  const Tensor flat = whole.reshaped({whole.elements()});
  std::vector<Tensor> parts;
  for (int group = 0; group < groups.count; ++group) {
    const auto r = static_cast<std::size_t>(groups.counterpart(rank, group));
    parts.push_back(flat.slice(bounds[r], bounds[r + 1]));
  }
  return parts;
}

}  // namespace edt
