#include "parallel/sharding/sum_tree.h"

#include <algorithm>
#include <bit>

#include "core/base/assert.h"
#include "parallel/comm/rank_groups.h"

namespace edt {
SumTree SumTree::of(std::int64_t micro_batches) {
  EDT_ASSERT(micro_batches > 0);
  const OddPart part = OddPart::of(micro_batches);
  return {part.odd, part.power};
}

SumShare SumShare::of(std::int64_t micro_batches, int ranks) {
  EDT_ASSERT(ranks > 0 && micro_batches % ranks == 0);
  const SumTree tree = SumTree::of(micro_batches);
  const RankGroups groups = RankGroups::of(ranks);
  return {static_cast<int>(tree.runs / groups.count), static_cast<int>(tree.leaves / groups.size)};
}

// A binary counter: after n leaves of a run there is one partial sum for each bit set in n, beside
// the sum of the runs before.
SumShare::Place SumShare::place_of(int index) const {
  const bool carries = index >= leaves;
  const auto leaf = static_cast<unsigned>(index % leaves);
  return {int{carries} + std::popcount(leaf),
          std::countr_one(leaf) + int{carries && ends_turn(index)}, carries, index + 1 == count()};
}

std::vector<std::int64_t> micro_batches_of(std::int64_t micro_batches, int rank, int ranks,
                                           int alternating) {
  const RankGroups groups = RankGroups::of(ranks);
  const SumShare share = SumShare::of(micro_batches, ranks);
  const std::int64_t together = std::min(alternating, groups.size);
  EDT_ASSERT(together > 0 && groups.size % together == 0);
  const std::int64_t place = groups.place_of(rank);
  std::vector<std::int64_t> mine;
  for (int turn = 0; turn < share.turns; ++turn) {
    const std::int64_t run = std::int64_t{turn} * groups.count + groups.group_of(rank);
    const std::int64_t begin = (run * groups.size + place / together * together) * share.leaves;
    for (int leaf = 0; leaf < share.leaves; ++leaf) {
      mine.push_back(begin + leaf * together + place % together);
    }
  }
  return mine;
}

std::vector<std::int64_t> micro_batch_sizes(std::int64_t batch, std::int64_t odd) {
  std::vector<std::int64_t> sizes;
  if (batch % odd != 0) return sizes;
  sizes.push_back(batch / odd);
  while (sizes.back() % 2 == 0) sizes.push_back(sizes.back() / 2);
  return sizes;
}

}  // namespace edt
