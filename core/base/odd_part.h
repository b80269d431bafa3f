// A count as an odd number times a power of two. It decides how sums are grouped: over ranks
// (parallel/comm/rank_groups.h) and over micro-batches (parallel/sharding/sum_tree.h).
#pragma once

#include <bit>
#include <cstdint>

namespace edt {

struct OddPart {
  std::int64_t odd = 1, power = 1;

  // `count` > 0
  static constexpr OddPart of(std::int64_t count) {
    const int halvings = std::countr_zero(static_cast<std::uint64_t>(count));
    return {count >> halvings, std::int64_t{1} << halvings};
  }
};

}  // namespace edt
