// Rows of [B, R, D] tensors moved by index: passes that drop tokens.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

// to[b][r] (+)= from[b][index[b][r]], or `fill` where the index is negative
struct MoveRows {
  DType dtype = DType::kFloat32;        // of from, fill and to
  const void* from = nullptr;           // [batch, from_rows, width]
  void* to = nullptr;                   // [batch, rows, width]
  const std::int32_t* index = nullptr;  // [batch, rows]
  const void* fill = nullptr;           // [width]; null: zeros
  std::int64_t batch = 0, rows = 0, from_rows = 0, width = 0;
  bool accumulate = false;
};
void launch_move_rows(cudaStream_t stream, const MoveRows& call);

// y = places >= 0 ? a : b by row; null a or b: zeros
struct SelectRows {
  DType dtype = DType::kFloat32;
  const void *a = nullptr, *b = nullptr;
  void* y = nullptr;
  const std::int32_t* places = nullptr;  // [rows]
  std::int64_t rows = 0, width = 0;
  bool accumulate = false;
};
void launch_select_rows(cudaStream_t stream, const SelectRows& call);

// sums[b] [width] = the rows of dy[b] whose place is negative, added in order
void launch_dropped_sums(cudaStream_t stream, DType dtype, const void* dy,
                         const std::int32_t* places, float* sums, std::int64_t batch,
                         std::int64_t rows, std::int64_t width);

// to [count] (+)= the samples of from [batch, count], added in order
void launch_sum_samples(cudaStream_t stream, DType dtype, const void* from, float* to,
                        std::int64_t batch, std::int64_t count, bool accumulate);

}  // namespace edt
