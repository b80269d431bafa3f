// The tree over which the gradients of a step's micro-batches are summed, and how ranks share it.
// It follows from the number of micro-batches alone, an odd number times a power of two: each run
// of a power of two of neighbours is summed over a complete binary tree, and the runs, an odd
// number of them, are added from left to right. So every number of ranks that divides the
// micro-batches comes to the same bits.
//
//   8 = 1 x 8:   ((0+1)+(2+3)) + ((4+5)+(6+7))
//   6 = 3 x 2:   ((0+1) + (2+3)) + (4+5)
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace edt {

struct SumTree {
  std::int64_t runs = 1;    // odd
  std::int64_t leaves = 1;  // of a run: a power of two
  bool operator==(const SumTree&) const = default;

  static SumTree of(std::int64_t micro_batches);
};

// What one of the ranks does. They are groups of neighbours (parallel/comm/rank_groups.h) and go
// through the tree in turns: in each of them every group takes one run, whose leaves its ranks
// share, and at its end the groups' sums are added to those of the turns before.
struct SumShare {
  int turns = 1;   // odd; 1 where the odd parts of ranks and micro-batches are equal
  int leaves = 1;  // of a rank in a turn: a power of two

  // `ranks` divides `micro_batches`.
  static SumShare of(std::int64_t micro_batches, int ranks);
  int count() const { return turns * leaves; }
  bool ends_turn(int index) const { return (index + 1) % leaves == 0; }

  // Where the `index`-th micro-batch of a rank stands: those with the same place lie in the same
  // memory, complete the same sums and ask for the same communication.
  struct Place {
    int open;      // partial sums before it
    int merged;    // of them it completes
    bool carries;  // one of them is that of the turns before: ranks may keep it apart
    bool last;     // of a step
    auto operator<=>(const Place&) const = default;
  };
  Place place_of(int index) const;
};

// The micro-batches of `rank` in the order in which it computes them. Within a run each
// `alternating` neighbouring ranks (all of a group where it has fewer) take neighbouring
// micro-batches one by one: with 1 those of a rank are neighbours.
std::vector<std::int64_t> micro_batches_of(std::int64_t micro_batches, int rank, int ranks,
                                           int alternating);

// Sizes that cut `batch` into odd x 2^g micro-batches, largest first; none where `odd` does not
// divide it. With the odd part of the ranks there is one turn, and gradients travel once.
std::vector<std::int64_t> micro_batch_sizes(std::int64_t batch, std::int64_t odd);

}  // namespace edt
