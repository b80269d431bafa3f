#include "core/base/signal_stack.h"

#include <sys/mman.h>

namespace edt {
namespace {

class SignalStack {
 public:
  SignalStack() {
    stack_t earlier{};
    if (sigaltstack(nullptr, &earlier) != 0 || (earlier.ss_flags & SS_DISABLE) == 0) return;
    void* memory =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t own{};
    own.ss_sp = memory;
    own.ss_size = kBytes;
    if (sigaltstack(&own, nullptr) == 0) {
      memory_ = memory;
    } else {
      munmap(memory, kBytes);
    }
  }
  ~SignalStack() {
    if (memory_ == nullptr) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    if (sigaltstack(&none, nullptr) == 0) munmap(memory_, kBytes);
  }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  static constexpr std::size_t kBytes = 256 << 10;  // the dump of a stack unwinds on it
  void* memory_ = nullptr;
};

}  // namespace

void give_thread_a_signal_stack() {
  static thread_local const SignalStack stack;
  (void)stack;
}

}  // namespace edt
