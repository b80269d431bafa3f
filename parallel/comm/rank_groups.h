// The ranks of a communicator as groups of neighbours, along which sums are taken: as many groups
// as the odd part of their number, each a power of two of ranks.
//
//   6 ranks: 3 groups of 2      0 1 | 2 3 | 4 5      8 ranks: 1 group of 8
#pragma once

#include <span>
#include <vector>

#include "core/base/odd_part.h"
#include "core/tensor/tensor.h"

namespace edt {

struct RankGroups {
  int count = 1;  // odd
  int size = 1;   // a power of two

  static constexpr RankGroups of(int ranks) {
    const OddPart part = OddPart::of(ranks);
    return {static_cast<int>(part.odd), static_cast<int>(part.power)};
  }
  constexpr int group_of(int rank) const { return rank / size; }
  constexpr int place_of(int rank) const { return rank % size; }
  // The rank of `group` that has the place of `rank` in its own.
  constexpr int counterpart(int rank, int group) const { return group * size + place_of(rank); }
  // All of them but `rank` itself, by group.
  std::vector<int> counterparts(int rank) const;
};

// The parts of `whole` that belong to the counterparts of `rank` and to itself, by group. `bounds`:
// as of Communicator::reduce_scatter_parts.
std::vector<Tensor> group_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                                int rank);

}  // namespace edt
