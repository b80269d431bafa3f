// Plain loops: slow, obvious, the truth for the other backends. float32, bf16 and float64.
#pragma once

#include <memory>

#include "core/ops/backend.h"

namespace edt {

std::unique_ptr<Backend> make_reference_backend();

}  // namespace edt
