#include "core/cuda/capturing.h"

#include <vector>

#include "core/base/error.h"

namespace edt {
namespace {

struct Kept {
  std::string_view what;
  void* memory;
  void (*release)(void*);
};

constexpr std::size_t kGivenBack = 256;

thread_local int captures = 0;
thread_local std::vector<Kept> given_back;

}  // namespace

CapturingThread::CapturingThread() {
  given_back.reserve(kGivenBack);
  ++captures;
}

CapturingThread::~CapturingThread() {
  if (--captures > 0) return;
  for (const Kept& block : given_back) block.release(block.memory);
  given_back.clear();
}

std::string CapturingThread::refused_release() {
  return given_back.empty() ? std::string() : std::string(given_back.front().what);
}

void require_no_capture(std::string_view what) {
  require<CudaError>(captures == 0, "cuda", "{} within a CUDA graph", what);
}

void give_back(std::string_view what, void* memory, void (*release)(void*)) noexcept {
  if (captures > 0) {
    // What is beyond them is lost, as the whole capture is.
    if (given_back.size() < kGivenBack) given_back.push_back({what, memory, release});
  } else {
    release(memory);
  }
}

}  // namespace edt
