// Column sums over many rows: each thread sums a range of rows, the parts are added in order.
#pragma once

#include "core/cpu/matmul.h"
#include "core/cpu/parallel.h"
#include "core/cpu/scratch.h"

namespace edt {

// Sums over rows that come bit by bit. There is one row of partial sums for each thread.
class ColumnSums {
 public:
  // In `slot` of the calling thread.
  ColumnSums(Scratch& scratch, Slot slot, std::int64_t columns)
      : columns_(columns), partials_(scratch.floats(slot, threads_ * columns)) {
    fill({partials_}, threads_ * columns, 0.0f);
  }
  float* of(std::int64_t thread) const { return partials_ + thread * columns_; }
  // Rows of all threads, or of one that is alone.
  void add(const Matrix& x, std::int64_t first_thread = 0) const {
    parallel_parts(x.rows, 16, [&](std::int64_t i, Range r) {
      add_column_sums(x.span.from(r.begin * x.stride), r.size(), x.stride, columns_,
                      of(first_thread + i));
    });
  }
  // sums[j] (+)= sum over rows of x[row][j]
  void put(float* sums, bool accumulate) const {
    for (std::int64_t i = 0; i < threads_; ++i) {
      convert({of(i)}, {sums}, columns_, accumulate || i > 0);
    }
  }

 private:
  std::int64_t columns_, threads_ = thread_count();
  float* partials_;
};

// sums[j] (+)= sum over rows of x[row][j]
inline void column_sums(Scratch& scratch, const Matrix& x, float* sums, bool accumulate) {
  const ColumnSums total(scratch, Slot::kPartials, x.columns);
  total.add(x);
  total.put(sums, accumulate);
}

}  // namespace edt
