// Which samples a rank reads: the micro-batches that are its own, from a place in the data on.
#pragma once

#include <cstdint>
#include <vector>

#include "data/prefetcher.h"

namespace edt {

// Batch n of the reader, from 0, is micro-batch own[n % own.size()] of step n / own.size(), whose
// `batch` samples follow those of the step before it; the first step begins at `place`. `own` are
// numbers of micro-batches, whose size is that of the reader's batches.
inline data::BatchPlan plan_from(std::uint64_t place, std::uint64_t batch,
                                 std::vector<std::int64_t> own) {
  return [place, batch, own = std::move(own)](std::uint64_t number,
                                              std::span<std::uint64_t> positions) {
    const std::uint64_t step = number / own.size();
    const auto index = static_cast<std::uint64_t>(own[number % own.size()]);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      positions[i] = place + step * batch + index * positions.size() + i;
    }
  };
}

}  // namespace edt
