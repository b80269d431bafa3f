// What a reduction does to numbers: element-wise, left operand first, so that results have the same
// bits wherever they are taken.
#pragma once

#include <cstddef>

#include "core/base/dtype.h"
#include "parallel/comm/communicator.h"

namespace edt {

// result = left op right. `result` may be one of the operands. NaN wins in max and min; bf16 is
// summed in float32 and rounded.
void combine(DType dtype, Reduce reduce, const std::byte* left, const std::byte* right,
             std::byte* result, std::size_t elements);

}  // namespace edt
