#include "launcher/signals.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/child_process.h"

namespace edt {
namespace {

TEST(StopSignals, SaysWhichSignalCameFirst) {
  for (const auto& [number, name] : {std::pair{SIGINT, "SIGINT"},
                                     {SIGTERM, "SIGTERM"},
                                     {SIGHUP, "SIGHUP"},
                                     {SIGUSR1, "SIGUSR1"},
                                     {SIGUSR2, "SIGUSR2"},
                                     {SIGXCPU, "SIGXCPU"}}) {
    const StopSignals signals;
    EXPECT_FALSE(signals.stop_requested());
    EXPECT_EQ(signals.signal_name(), "");
    raise(number);
    EXPECT_TRUE(signals.stop_requested());
    EXPECT_EQ(signals.signal_number(), number);
    raise(SIGTERM);  // more of them change nothing
    EXPECT_EQ(signals.signal_name(), name);
  }
}

TEST(StopSignals, UnderNohupAHangUpIsNothing) {
  const auto before = signal(SIGHUP, SIG_IGN);
  {
    const StopSignals signals;
    raise(SIGHUP);
    EXPECT_FALSE(signals.stop_requested());
  }
  EXPECT_EQ(signal(SIGHUP, before), SIG_IGN);
}

volatile sig_atomic_t earlier_handler_calls = 0;

TEST(StopSignals, EarlierHandlersComeBack) {
  const auto before =
      signal(SIGUSR1, [](int) { earlier_handler_calls = earlier_handler_calls + 1; });
  {
    const StopSignals signals;
    raise(SIGUSR1);
    EXPECT_EQ(earlier_handler_calls, 0);
  }
  raise(SIGUSR1);
  EXPECT_EQ(earlier_handler_calls, 1);
  signal(SIGUSR1, before);
}

TEST(StopSignals, OneAtATime) {
  const StopSignals signals;
  EXPECT_THROW(StopSignals(), Error);
}

TEST(StopSignals, SecondInterruptEndsAtOnce) {
  const auto ended_by = [](const auto& body) {
    return test::status_in_child([&] {
      const StopSignals signals;
      body();
      return 7;
    });
  };
  EXPECT_EQ(ended_by([] { raise(SIGINT); }), 7);
  EXPECT_EQ(ended_by([] { raise(SIGTERM), raise(SIGTERM), raise(SIGINT); }), 7);
  EXPECT_EQ(ended_by([] { raise(SIGINT), raise(SIGINT); }), -SIGINT);
}

}  // namespace
}  // namespace edt
