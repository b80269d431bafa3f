// Products with a fused beginning or end are done in chunks of rows, so that what is fused finds
// its rows in cache. A chunk is large enough for oneDNN to run at its full rate.
#pragma once

#include "core/cpu/parallel.h"

namespace edt {

inline constexpr std::int64_t kChunkBytes = std::int64_t{2} << 20;

// f(begin, end) over nearly equal chunks of `rows` rows of `columns` floats.
template <class F>
void for_each_chunk(std::int64_t rows, std::int64_t columns, F&& f) {
  const std::int64_t most = std::max<std::int64_t>(256, kChunkBytes / (4 * columns));
  const std::int64_t chunks = (rows + most - 1) / most;
  for (std::int64_t i = 0; i < chunks; ++i) {
    const Range r = part_of(rows, chunks, i);
    f(r.begin, r.end);
  }
}

}  // namespace edt
