// The fast CPU backend: oneDNN for matrix products, vectorised fused kernels for the rest.
// float32 and bf16.
#pragma once

#include <memory>

#include "core/ops/backend.h"

namespace edt {

std::unique_ptr<Backend> make_cpu_backend();

}  // namespace edt
