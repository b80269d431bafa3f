// A capture does not allow to take memory, to give it back, or to wait. The runtime refuses such a
// call as well, but no sooner than it is made, when memory may have been given back for it, and by
// its own name only.
#pragma once

#include <string>
#include <string_view>

namespace edt {

// While it lives, this thread captures: the rules of a capture in thread-local mode are its own.
class CapturingThread {
 public:
  CapturingThread();
  ~CapturingThread();
  CapturingThread(const CapturingThread&) = delete;
  CapturingThread& operator=(const CapturingThread&) = delete;

  // The first memory that was to be given back, as give_back() names it; empty: none was.
  static std::string refused_release();
};

// Throws CudaError when this thread captures. `what` names what is asked for.
void require_no_capture(std::string_view what);

// release(memory), now or, where this thread captures, when that has ended: then the capture fails,
// and `what` names why. For what must not throw.
void give_back(std::string_view what, void* memory, void (*release)(void*)) noexcept;

}  // namespace edt
