// oneDNN's products on the host.
#pragma once

#include <memory>

#include "core/ops/matmul_ceiling.h"

namespace edt {

// float32, or bf16 where the CPU multiplies it natively (elsewhere float32 is what limits bf16, and
// is measured).
std::unique_ptr<MatmulCeiling> make_cpu_matmul_ceiling(const std::vector<MatmulForm>& forms,
                                                       DType dtype);

}  // namespace edt
