// The matrix products of a whole step, in the form the machine's ceiling is measured in.
#pragma once

#include <vector>

#include "core/ops/matmul_ceiling.h"
#include "model/matmuls.h"

namespace edt {

// Forward products, each `passes` times.
std::vector<MatmulForm> forward_forms(const std::vector<MatmulUse>& uses, std::int64_t passes);

// Forward and both backward products.
std::vector<MatmulForm> training_forms(const std::vector<MatmulUse>& uses, std::int64_t passes);

}  // namespace edt
