// Maps of matrices for the copy engine of sm_90 (TMA), which the driver writes.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace edt {

// A row-major bf16 matrix whose rows lie without gaps, and the boxes that are copied of it. Base
// and rows must begin at multiples of 16 bytes; a row of the box has the bytes of the swizzle.
struct MappedMatrix {
  const void* data = nullptr;
  std::int64_t rows = 0, columns = 0;
  int box_rows = 0, box_columns = 0;
  CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_NONE;
};

// Throws CudaError where the driver refuses it.
CUtensorMap map_of(const MappedMatrix& matrix);

}  // namespace edt
