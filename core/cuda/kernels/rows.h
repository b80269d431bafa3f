// How kernels that work on rows of one sample are cut into blocks. A thread owns a vector of
// columns, a block a slice of the rows of a sample, so that what is the same for all rows (shift,
// scale, gate) and what is summed over them (their gradients) stays in registers. Nothing of CUDA:
// tested anywhere.
#pragma once

#include <algorithm>

#include "core/cuda/kernels/divide_up.h"

namespace edt {

struct RowPlan {
  int vector = 1;           // columns of a thread: 8, or 1 where 16-byte accesses are impossible
  int threads = 0;          // of a block, a multiple of 32; 0 when the rows are too wide
  std::int64_t slices = 1;  // blocks of a sample
  std::int64_t rows_per_slice = 1;  // of the last slice: what is left
};

inline constexpr int kMostVectorThreads = 768, kMostScalarThreads = 1024;
// Of a block whose threads own so many columns, where a kernel does not set narrower limits.
template <int kVec>
inline constexpr int kMostThreads = kVec == 1 ? kMostScalarThreads : kMostVectorThreads;

inline RowPlan threads_for(std::int64_t width, bool vectors) {
  RowPlan plan;
  plan.vector = vectors ? 8 : 1;
  const std::int64_t threads = divide_up(divide_up(width, plan.vector), 32) * 32;
  plan.threads = threads <= (vectors ? kMostVectorThreads : kMostScalarThreads)
                     ? static_cast<int>(threads)
                     : 0;
  return plan;
}

// Rows in slices of 16: enough blocks for any GPU, and modulation is read once for 16 rows.
inline RowPlan forward_plan(std::int64_t rows, std::int64_t width, bool vectors) {
  RowPlan plan = threads_for(width, vectors);
  plan.rows_per_slice = std::min<std::int64_t>(rows, 16);
  plan.slices = divide_up(rows, plan.rows_per_slice);
  return plan;
}

// Every slice leaves a row of partial sums: as few slices as fill an H100, whose multiprocessors
// take 16 warps of 124 registers a thread (norm and gated residual in one), with at least 8 rows in
// each. A function of the shape alone, so that sums have the same bits on any GPU, and those of the
// two kernels are those of the one.
inline RowPlan backward_plan(std::int64_t batch, std::int64_t rows, std::int64_t width,
                             bool vectors) {
  RowPlan plan = threads_for(width, vectors);
  const std::int64_t blocks =
      plan.threads > 0 ? std::clamp<std::int64_t>(1920 * 32 / plan.threads, 512, 1024) : 512;
  const std::int64_t wanted = divide_up(blocks, std::max<std::int64_t>(batch, 1));
  const std::int64_t most = divide_up(rows, 8);
  plan.rows_per_slice = divide_up(rows, std::clamp<std::int64_t>(wanted, 1, most));
  plan.slices = divide_up(rows, plan.rows_per_slice);
  return plan;
}

}  // namespace edt
