#include "core/cuda/capturing.h"

#include "core/base/error.h"

namespace edt {
namespace {

thread_local int captures = 0;

}  // namespace

CapturingThread::CapturingThread() { ++captures; }

CapturingThread::~CapturingThread() { --captures; }

void require_no_capture(std::string_view what) {
  require<CudaError>(captures == 0, "cuda", "{} within a CUDA graph", what);
}

}  // namespace edt
