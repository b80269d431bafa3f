#include <gtest/gtest.h>

#include <iostream>
#include <thread>

#include "mpi_world.h"
#include "parallel/comm/mpi/mpi_session.h"

namespace edt::test {
namespace {

Communicator* world = nullptr;

// Rank 0 tells how the tests go, the others only what fails.
class FailurePrinter final : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo& test) override {
    test_ = fmt::format("{}.{}", test.test_suite_name(), test.name());
  }
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::cerr << fmt::format("{}: {} fails at {}:{}\n{}\n", world->name(), test_,
                             result.file_name() ? result.file_name() : "?", result.line_number(),
                             result.summary());
  }

  std::string test_ = "before the first test";
};

int run(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const MpiSession session;
  const auto ranks = session.world();
  ranks->set_timeout(Seconds(60));
  world = ranks.get();
  if (!ranks->is_root()) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter);
  }
  GTEST_FLAG_SET(fail_fast, true);  // the ranks are no longer in step after a failure
  const int status = RUN_ALL_TESTS();
  if (status != 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // for what others have to say
    ranks->abort(status);
  }
  return 0;
}

}  // namespace

Communicator& mpi_world() { return *world; }

}  // namespace edt::test

int main(int argc, char** argv) { return edt::test::run(argc, argv); }
