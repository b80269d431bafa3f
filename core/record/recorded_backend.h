// A backend that records what its kernels read and write, and hands their work to another one.
#pragma once

#include <memory>

#include "core/ops/backend.h"
#include "core/record/call_recorder.h"

namespace edt {

// Both outlive it.
std::unique_ptr<Backend> make_recorded_backend(Backend& backend, CallRecorder& recorder);

}  // namespace edt
