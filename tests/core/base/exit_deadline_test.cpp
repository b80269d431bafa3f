#include "core/base/exit_deadline.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace edt {
namespace {

using std::chrono::milliseconds;

void wait_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

TEST(ExitDeadline, EndsAProcessThatWaitsForEver) {
  const auto hang = [] {
    std::atexit(wait_for_ever);  // as a library's handler would
    const ExitDeadline deadline(milliseconds(10), 5, "the library waits for rank 1");
    wait_for_ever();
  };
  EXPECT_EXIT(hang(), testing::ExitedWithCode(5), "^the library waits for rank 1\n$");
}

TEST(ExitDeadline, IsNothingWhereItIsMet) {
  const auto work = [] {
    { const ExitDeadline deadline(std::chrono::hours(1), 5, "late"); }
    std::exit(0);
  };
  EXPECT_EXIT(work(), testing::ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace edt
