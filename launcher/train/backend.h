// The backend a command was asked for.
#pragma once

#include <memory>

#include "core/ops/backend.h"
#include "launcher/train/config.h"

namespace edt {

// `threads` 0: as many as the machine gives.
std::unique_ptr<Backend> make_backend(BackendKind kind, int threads);

}  // namespace edt
