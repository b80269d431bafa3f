// Products with a fused beginning or end are done in chunks of rows, so that what is fused finds
// its rows in cache. A chunk is large enough for oneDNN to run at its full rate.
#pragma once

#include "core/cpu/parallel.h"

namespace edt {

inline constexpr std::int64_t kChunkBytes = std::int64_t{2} << 20;
inline constexpr std::int64_t kChunkRows = 256;  // so many at least: each packs the weights anew

// f(begin, end) over nearly equal chunks of the rows of `range`, of `columns` floats each, one
// chunk for so many caches.
template <class F>
void for_each_chunk(Range range, std::int64_t columns, F&& f, std::int64_t caches = 1) {
  const std::int64_t most = caches * std::max(kChunkRows, kChunkBytes / (4 * columns));
  const std::int64_t chunks = (range.size() + most - 1) / most;
  for (std::int64_t i = 0; i < chunks; ++i) {
    const Range r = part_of(range.size(), chunks, i);
    f(range.begin + r.begin, range.begin + r.end);
  }
}

// Steps in which rows do not depend on each other. With rows enough in the batch each thread goes
// alone through all steps with a part of them: it stays in its core's cache, and waits for the
// others once. With fewer all threads go together through each step.
class OwnRows {
 public:
  explicit OwnRows(std::int64_t rows_of_batch)
      : alone_(thread_count() > 1 && rows_of_batch >= thread_count() * kChunkRows) {}

  // f(thread, Range of [0, rows)); together: f(0, all).
  template <class F>
  void for_each_thread(std::int64_t rows, F&& f) const {
    if (!alone_) return f(std::int64_t{0}, Range{0, rows});
    each_thread_alone(rows, f);
  }

 private:
  bool alone_;
};

// f(begin, end) over chunks that take no more than one cache each.
template <class F>
void for_each_own_chunk(std::int64_t rows, std::int64_t columns, F&& f) {
  OwnRows(rows).for_each_thread(
      rows, [&](std::int64_t, Range range) { for_each_chunk(range, columns, f); });
}

}  // namespace edt
