// LayerNorm with adaLN modulation on rows that are gathered from one, two or four parts; RMS norm
// with a weight on rows of one.
#pragma once

#include "core/cuda/kernels/launch.h"
#include "core/cuda/kernels/rows.h"

namespace edt {

struct NormCall {
  DType dtype = DType::kFloat32;
  std::int64_t batch = 0, tokens = 0, width = 0;  // of the normalised rows [batch, tokens, width]
  // A row is `parts` pieces of width / parts. One part: rows of data[0]. Two: rows of data[0] and
  // data[1]. Four: a 2x2 neighbourhood on the grid of data[0], rows x columns.
  int parts = 1;
  int rows = 0, columns = 0;
  const void* x[2] = {nullptr, nullptr};
  const float* mask = nullptr;   // [batch, rows * columns] of the four parts, or null
  const void* weight = nullptr;  // [width]: RMS norm by it; null: layer norm
  ColumnView shift, scale;       // nothing is added where shift has no data
  float* stats = nullptr;        // [batch * tokens, 2]: mean (RMS: 0), 1/std

  void* y = nullptr;  // forward

  const void* dy = nullptr;  // backward
  void* dx[2] = {nullptr, nullptr};
  bool accumulate[2] = {false, false};
  float* partials = nullptr;  // [batch, slices, 2, width]: sums of dy and of dy n
};

bool norm_vectors(const NormCall& call);

void launch_norm_forward(cudaStream_t stream, const RowPlan& plan, const NormCall& call,
                         float epsilon);
void launch_norm_backward(cudaStream_t stream, const RowPlan& plan, const NormCall& call);

// After launch_norm_backward() of RMS norm: from the partial sums of all slices, dshift += sum of
// dy, dscale += weight * sum of dy n for each sample, and dweight (+)= the sum over samples of
// (1 + scale) * sum of dy n. Uses the partial sums up. dshift and dscale may be without data.
struct RmsSums {
  DType dtype = DType::kFloat32;
  float* partials = nullptr;
  std::int64_t batch = 0, slices = 0, width = 0;
  int groups = 2;  // of which the first two are those sums
  const void* weight = nullptr;
  ColumnView scale, dshift, dscale;
  float* dweight = nullptr;
  bool accumulate = false;
};
void launch_rms_sums(cudaStream_t stream, const RmsSums& sums);

}  // namespace edt
