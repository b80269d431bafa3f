// Masks of units that a network may lose.
#pragma once

#include "core/cuda/kernels/launch.h"
#include "core/ops/unit_mask_form.h"

namespace edt {

// Of n units: their weights, and band [3, n].
struct BandCall {
  std::int64_t units = 0;
  const float* weights = nullptr;
  const float* band = nullptr;
};

void launch_band_mask_forward(cudaStream_t stream, const BandCall& call, float* factors);
// dweights (+)= gradient
void launch_band_mask_backward(cudaStream_t stream, const BandCall& call, const float* dfactors,
                               float* dweights, bool accumulate);
// sum [1]; losses [rows] += sum
void launch_band_sparsity_forward(cudaStream_t stream, const BandCall& call, SparsityForm form,
                                  float* losses, std::int64_t rows, float* sum);
void launch_band_sparsity_backward(cudaStream_t stream, const BandCall& call, SparsityForm form,
                                   const float* dsum, const float* sum, float* dweights,
                                   bool accumulate);

// Rows of `units` times `size` columns.
struct MaskUnitsCall {
  DType dtype = DType::kFloat32;  // of all but factors, sums and partials
  std::int64_t rows = 0, units = 0, size = 1;
  const void* x = nullptr;
  std::int64_t own_rows = 0;       // neighbouring rows that share a row of factors
  const float* factors = nullptr;  // [rows / own_rows, units]
  const void* dy = nullptr;        // backward alone, as what follows
  void* y = nullptr;               // backward: dx, or null
  bool accumulate = false;
  float* partials = nullptr;  // [mask_unit_slices(rows), columns]; of one row of factors alone
  float* dfactors = nullptr;  // as factors (+)= gradient, or null
  bool accumulate_factors = false;
};

std::int64_t mask_unit_slices(std::int64_t rows);
void launch_mask_units_forward(cudaStream_t stream, const MaskUnitsCall& call);
void launch_mask_units_backward(cudaStream_t stream, const MaskUnitsCall& call);

}  // namespace edt
