#include "launcher/signals.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "core/base/error.h"
#include "core/cpu/matmul.h"
#include "core/storage/durable_file.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

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

TEST(StopSignals, SecondInterruptLeavesNothingHalfWritten) {
  const test::TempDir directory;
  const auto half = partial_path(directory / "grid.png");
  const auto write_and = [&](int interrupts) {
    return test::status_in_child([&] {
      const StopSignals signals;
      DurableFile file(directory / "grid.png");
      for (int i = 0; i < interrupts; ++i) raise(SIGINT);
      return std::filesystem::exists(half) ? 7 : 8;
    });
  };
  EXPECT_EQ(write_and(1), 7);
  EXPECT_EQ(write_and(2), -SIGINT);
  EXPECT_FALSE(std::filesystem::exists(half));
}

// Files are written on as if no signal had come.
TEST(StopSignals, CallsAreNotCutShort) {
  const StopSignals signals;
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const std::jthread other([&, reader = pthread_self()] {
    for (int i = 0; i < 20; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      pthread_kill(reader, SIGUSR1);
    }
    EXPECT_EQ(write(ends[1], "x", 1), 1);
  });
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 1);
  EXPECT_EQ(signals.signal_name(), "SIGUSR1");
  for (const int end : ends) close(end);
}

// oneDNN's products have their stack in a block of the heap: a handler that ran there wrote over
// its neighbours, and a run that was told to stop crashed instead of saving.
TEST(StopSignals, MayComeWhileALibraryMultiplies) {
  const StopSignals signals;
  Scratch scratch;
  Matmul matmul(scratch);
  std::atomic<bool> over{false};
  const std::jthread other([&, computing = pthread_self()] {
    while (!over) {
      pthread_kill(computing, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  constexpr std::int64_t m = 64, n = 32;
  for (const std::int64_t k : {256, 1024, 4096}) {
    std::vector<float> a(m * k, 0.5f), b(k * n, 0.25f), c(m * n);
    const Matrix left = view_of(std::span(a), {m, k}), right = view_of(std::span(b), {k, n});
    std::vector<std::string> neighbours;
    for (int round = 0; round < 400; ++round) {
      matmul.multiply(left, right, view_of(std::span(c), {m, n}), false);
      neighbours.emplace_back(static_cast<std::size_t>(64 + round * 37 % 4000), 'n');
    }
    EXPECT_EQ(c.back(), 0.125f * static_cast<float>(k));
    for (const std::string& text : neighbours) {
      EXPECT_EQ(text.find_first_not_of('n'), std::string::npos);
    }
  }
  over = true;
  EXPECT_TRUE(signals.stop_requested());
}

}  // namespace
}  // namespace edt
