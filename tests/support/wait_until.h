// Waiting for what a test needs, not for a time.
#pragma once

#include <chrono>
#include <thread>

namespace edt::test {

// True as soon as `condition` holds. The limit is there for tests that fail: it is far above what a
// busy machine takes.
template <class Condition>
[[nodiscard]] bool wait_until(Condition&& condition,
                              std::chrono::seconds limit = std::chrono::seconds(60)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace edt::test
