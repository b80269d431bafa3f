// Half-written files do not outlive the program, however it ends.
#include "core/storage/partial_file.h"

#include <signal.h>

#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "core/storage/durable_file.h"
#include "core/storage/hdf5.h"
#include "core/storage/npy.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;
using testing::ExitedWithCode;
using testing::KilledBySignal;

class PartialFileTest : public testing::Test {
 protected:
  bool is_empty() const { return fs::is_empty(directory_.path()); }

  const test::TempDir directory_;
  const fs::path file_ = directory_ / "a.txt";
};

TEST_F(PartialFileTest, GoesUnlessItIsCommitted) {
  {
    PartialFile file(file_);
    write_text_atomically(file.partial(), "half");
  }
  EXPECT_TRUE(is_empty());
  PartialFile file(file_);
  write_text_atomically(file.partial(), "whole");
  file.commit();
  EXPECT_EQ(read_text(file_), "whole");
}

TEST_F(PartialFileTest, GoesWhenASignalEndsTheProgram) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    const auto interrupted = [&] {
      remove_partial_files_on_signals();
      DurableFile one(file_), other(directory_ / "b.txt");
      one.write("half");
      raise(number);
    };
    EXPECT_EXIT(interrupted(), KilledBySignal(number), "");
    EXPECT_TRUE(is_empty());
  }
}

// The handler runs on a thread while others go on.
TEST_F(PartialFileTest, NoneAppearsWhileASignalEndsTheProgram) {
  using Work = std::function<void()>;
  const std::map<std::string, Work> works{
      {"a file", [&] { const DurableFile file(file_); }},
      {"a shard",
       [&] {
         const PartialFile file(file_);
         const auto shard = h5::File::create(file.partial());
       }},
      {"a look whether there can be one", [&] { require_writable(file_, "--out"); }},
      {"a look whether there can be some", [&] { require_directory(file_, "--data"); }},
  };
  const auto interrupted = [](const Work& work, int microseconds) {
    remove_partial_files_on_signals();
    std::thread told([microseconds] {
      std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
      raise(SIGINT);  // on this thread
    });
    for (;;) work();
  };
  for (const auto& [name, work] : works) {
    for (int attempt = 0; attempt < 40; ++attempt) {
      EXPECT_EXIT(interrupted(work, 97 * attempt), KilledBySignal(SIGINT), "");
      ASSERT_TRUE(is_empty()) << name << ", attempt " << attempt;
    }
  }
}

TEST_F(PartialFileTest, AFolderOfThemGoesToo) {
  const auto interrupted = [&] {
    remove_partial_files_on_signals();
    const fs::path folder = directory_ / "folder";
    fs::create_directory(folder);
    (void)list_for_removal(folder);
    const DurableFile file(folder / "a.txt");
    raise(SIGTERM);
  };
  EXPECT_EXIT(interrupted(), KilledBySignal(SIGTERM), "");
  EXPECT_TRUE(is_empty());
}

TEST_F(PartialFileTest, IgnoredSignalsStayIgnored) {
  const auto interrupted = [&] {
    signal(SIGHUP, SIG_IGN);
    remove_partial_files_on_signals();
    DurableFile file(file_);
    raise(SIGHUP);
    file.write("whole");
    file.commit();
    std::_Exit(7);
  };
  EXPECT_EXIT(interrupted(), ExitedWithCode(7), "");
  EXPECT_EQ(read_text(file_), "whole");
}

TEST_F(PartialFileTest, ADelayedSignalIsSeenAndThenEndsTheProgram) {
  const auto interrupted = [&] {
    remove_partial_files_on_signals();
    DurableFile file(file_);
    {
      const SignalDelay delay;
      raise(SIGTERM);
      if (!SignalDelay::signal_waits() || !fs::exists(partial_path(file_))) std::_Exit(1);
    }
    std::_Exit(2);
  };
  EXPECT_EXIT(interrupted(), KilledBySignal(SIGTERM), "");
  EXPECT_TRUE(is_empty());
}

// What libzip writes beside the archive goes too.
TEST_F(PartialFileTest, AnInterruptedArchiveLeavesNothing) {
  const auto interrupted = [&] {
    remove_partial_files_on_signals();
    const std::vector<std::uint8_t> rows(std::size_t{1} << 20);
    NpzWriter writer(directory_ / "x.npz", "arr_0", {64, rows.size()});
    for (int i = 0; i < 64; ++i) writer.append(rows);
    const SignalDelay delay;
    raise(SIGINT);
    writer.finish();
  };
  EXPECT_EXIT(interrupted(), KilledBySignal(SIGINT), "");
  EXPECT_TRUE(is_empty());
}

// Both wrote into one file, which then got its name.
TEST_F(PartialFileTest, OneProcessAtATimeWritesAFile) {
  DurableFile one(file_);
  one.write("one");
  EXPECT_ERROR(DurableFile{file_}, UsageError, "a.txt is being written by another process");
  const auto other = [&] {
    try {
      DurableFile file(file_);
    } catch (const UsageError&) {
      std::_Exit(7);
    }
  };
  EXPECT_EXIT(other(), ExitedWithCode(7), "");
  one.commit();
  EXPECT_EQ(read_text(file_), "one");
  DurableFile two(file_);
  two.write("two");
  two.commit();
  EXPECT_EQ(read_text(file_), "two");
}

TEST_F(PartialFileTest, WhatAKilledProcessHasLeftIsUsedAgain) {
  const auto killed = [&] {
    DurableFile file(file_);
    file.write("a long half");
    raise(SIGKILL);
  };
  EXPECT_EXIT(killed(), KilledBySignal(SIGKILL), "");
  EXPECT_FALSE(is_empty());
  write_text_atomically(file_, "whole");
  EXPECT_EQ(read_text(file_), "whole");
}

}  // namespace
}  // namespace edt
