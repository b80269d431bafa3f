// Column sums over many rows: each thread sums a range of rows, the parts are added in order.
#pragma once

#include "core/cpu/matmul.h"
#include "core/cpu/parallel.h"
#include "core/cpu/scratch.h"

namespace edt {

// sums[j] (+)= sum over rows of x[row][j]
inline void column_sums(Scratch& scratch, const Matrix& x, float* sums, bool accumulate) {
  const std::int64_t n = x.columns, parts = thread_count();
  float* partials = scratch.floats(Slot::kPartials, parts * n);
  fill({partials}, parts * n, 0.0f);
  parallel_parts(x.rows, 16, [&](std::int64_t part, Range r) {
    add_column_sums(x.span.from(r.begin * x.stride), r.size(), x.stride, n, partials + part * n);
  });
  for (std::int64_t part = 0; part < parts; ++part) {
    convert({partials + part * n}, {sums}, n, accumulate || part > 0);
  }
}

}  // namespace edt
