#include <atomic>

#include "core/cuda/kernels/launch.h"

namespace edt {
namespace {

std::atomic<bool> programmatic_launches = false;

}  // namespace

void allow_programmatic_launches(bool allowed) { programmatic_launches = allowed; }
bool programmatic_launches_allowed() {
  return programmatic_launches.load(std::memory_order_relaxed);
}

}  // namespace edt
