// Second half of sums over rows: the partial sums of slices, added in order.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

// partials [batch, slices, groups, width]; columns of groups[i] (dtype, where data is not null)
// += sum over the slices of partials[b, :, i]. At most three groups.
struct SliceSums {
  const float* partials = nullptr;
  std::int64_t batch = 0, slices = 0, width = 0;
  int groups = 1;
  ColumnView to[3];
  DType dtype = DType::kFloat32;
};
void launch_add_slices(cudaStream_t stream, const SliceSums& sums);

// sums (+)= column sums of x [rows, columns] (float32 or bf16), by partials [slices, columns]
std::int64_t column_sum_slices(std::int64_t rows);
void launch_column_sums(cudaStream_t stream, DType dtype, const void* x, std::int64_t rows,
                        std::int64_t columns, float* partials, float* sums, bool accumulate);

}  // namespace edt
