// Tensors widened to double. Every kernel of this folder loads its inputs, computes in double and
// stores its results rounded once to the tensor's dtype, so one plain loop serves all dtypes.
#pragma once

#include <vector>

#include "core/ops/kernel.h"

namespace edt {

using Doubles = std::vector<double>;

Doubles load(const Tensor& tensor);
void store(const Doubles& values, const Tensor& tensor);

// Overwrites or adds; nothing when the target is not wanted.
void store(const Doubles& values, const GradTarget& target);

// columns.row(b)[d] += values[b * width + d]; nothing when the tensor is undefined.
void add_to(const Doubles& values, const Columns& columns);

// [a, b] row by row: tensors of as many rows, [.., Wa] and [.., Wb].
Doubles concatenated(const Tensor& a, const Tensor& b);

// The columns as a dense [B, width].
Doubles load(const Columns& columns);

}  // namespace edt
