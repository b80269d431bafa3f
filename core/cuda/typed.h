// What every kernel call checks on the host.
#pragma once

#include "core/base/error.h"
#include "core/cuda/kernels/launch.h"
#include "core/cuda/kernels/rows.h"
#include "core/ops/kernel.h"

namespace edt {

// float32 or bf16; anything else is refused.
inline DType element_of(const Tensor& tensor) {
  require<NotImplemented>(tensor.dtype == DType::kFloat32 || tensor.dtype == DType::kBFloat16,
                          "cuda",
                          "{} tensors are not implemented by this backend, float32 and bf16 are",
                          name_of(tensor.dtype));
  return tensor.dtype;
}

inline ColumnView view_of(const Columns& columns) {
  if (!columns.tensor.defined()) return {};
  return {static_cast<std::byte*>(columns.tensor.data) +
              static_cast<std::size_t>(columns.column) * size_of(columns.tensor.dtype),
          columns.stride()};
}

// A sample is a row of blocks, of which a grid has at most 65535.
inline void check_batch(std::string_view op, std::int64_t batch) {
  require<NotImplemented>(batch <= 65535, "cuda", "{}: batch is {}, at most 65535", op, batch);
}

// Refuses what a grid of (slices, samples) blocks, one row wide, cannot hold.
inline void check_rows(std::string_view op, const RowPlan& plan, std::int64_t batch,
                       std::int64_t width) {
  require<NotImplemented>(plan.threads > 0, "cuda",
                          "{}: rows of {} are too wide, at most {} ({} where they are a multiple "
                          "of 8 and start at 16 bytes)",
                          op, width, kMostScalarThreads, 8 * kMostVectorThreads);
  check_batch(op, batch);
}

}  // namespace edt
