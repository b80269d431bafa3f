// Writes that are interrupted at every stage, killed at random moments, or run out of disk.
#include <gmock/gmock-matchers.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "core/storage/access.h"
#include "fixture.h"
#include "tests/support/child_process.h"
#include "tests/support/wait_until.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kStages[] = {"begin", "data", "verified", "manifest", "published"};

std::ptrdiff_t count_entries(const fs::path& directory) {
  return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
}

class Fault : public ::testing::Test {
 protected:
  TempDir directory_;
  CheckpointStore store_{directory_.path()};
};

TEST_F(Fault, AnErrorAtAnyStageLeavesNothingAndTheNextSaveWorks) {
  save_steps(store_, {1});
  for (const std::string stage : kStages) {
    CheckpointWriterOptions options;
    options.on_stage = [&](std::string_view reached) {
      if (reached == stage) fail<SystemError>("test", "no more disk at {}", stage);
    };
    const auto report = save_steps(store_, {2}, options).at(0);
    EXPECT_EQ(report.error, "[test] no more disk at " + stage);
    EXPECT_EQ(count_entries(directory_.path()), 1) << stage;
    EXPECT_EQ(loaded_step(store_), 1) << stage;
  }
  EXPECT_EQ(save_steps(store_, {2}).at(0).error, "");
  EXPECT_EQ(loaded_step(store_), 2);
}

TEST_F(Fault, TheDiskIsToldFromOtherCauses) {
  for (const bool is_full : {false, true}) {
    CheckpointWriterOptions options;
    options.on_stage = [&](std::string_view) {
      if (is_full) fail<DiskError>("test", "full");
      fail<SystemError>("test", "no right");
    };
    const auto report = save_steps(store_, {2}, options).at(0);
    EXPECT_FALSE(report.ok());
    EXPECT_EQ(report.is_of_disk, is_full);
  }
}

TEST_F(Fault, AnErrorWhileReplacingBringsTheOldOneBack) {
  save_steps(store_, {1, 2});
  CheckpointWriterOptions options;
  options.on_stage = [](std::string_view stage) {
    if (stage == "published") fail<SystemError>("test", "no more disk");
  };
  EXPECT_FALSE(save_steps(store_, {2}, options).at(0).ok());
  EXPECT_EQ(loaded_step(store_), 2);
  EXPECT_EQ(count_entries(directory_.path()), 2);
}

// Killed at a stage, the run before and the same step again (`replacing`).
class Killed : public Fault, public ::testing::WithParamInterface<std::tuple<const char*, bool>> {};

TEST_P(Killed, TheNewestCompleteOneIsLoadedAndTheRestCleanedUp) {
  const char* const stage = std::get<0>(GetParam());
  const bool replacing = std::get<1>(GetParam());
  save_steps(store_, {1, 2});
  const std::int64_t step = replacing ? 2 : 3;
  const int status = status_in_child([&] {
    CheckpointWriterOptions options;
    options.on_stage = [&](std::string_view reached) {
      if (reached == stage) raise(SIGKILL);
    };
    save_steps(store_, {step}, options);
    return 0;
  });
  ASSERT_EQ(status, -SIGKILL);
  store_.recover();
  store_.clean_up();
  // All of it was there, but for its mark.
  const bool is_whole = std::string_view(stage) == "published";
  EXPECT_EQ(loaded_step(store_), is_whole ? step : 2);
  EXPECT_EQ(count_entries(directory_.path()), is_whole && !replacing ? 3 : 2);
  EXPECT_EQ(save_steps(store_, {step}).at(0).error, "");
  EXPECT_EQ(loaded_step(store_), step);
}

INSTANTIATE_TEST_SUITE_P(Stages, Killed,
                         ::testing::Combine(::testing::ValuesIn(kStages), ::testing::Bool()));

// Saves steps from `first` on for ever, and notes in `file` each that the writer called complete.
int save_for_ever(const CheckpointStore& store, std::int64_t first, const fs::path& file) {
  RankState rank(small_layout(), 0, 1);
  CheckpointWriter writer(store, make_self_communicator(), rank.state(), {});
  std::ofstream complete(file);
  for (std::int64_t step = first;; ++step) {
    rank.fill(step);
    writer.save(info_of_step(step), extras_of_step(step));
    for (const auto& report : writer.take_reports()) complete << report.step << std::endl;
  }
}

// The last step that is noted; -1: none is.
std::int64_t last_noted(const fs::path& file) {
  std::ifstream noted(file);
  std::int64_t last = -1;
  for (std::int64_t step = 0; noted >> step;) last = step;
  return last;
}

// None of the steps that were called complete may be lost.
TEST_F(Fault, KilledAtRandomMomentsNothingCompleteIsLost) {
  const TempDir notes;
  const fs::path file = notes / "complete";
  std::int64_t first = 1;
  for (std::uint32_t round = 0; round < 15; ++round) {
    fs::remove(file);
    {
      ChildProcess child([&] { return save_for_ever(store_, first, file); });
      // Half of them are killed before anything is complete.
      const bool complete_one = round % 2 == 1;
      ASSERT_TRUE(wait_until([&] { return !complete_one || last_noted(file) > 0; }));
      const auto pause = random::block({.seed = 11, .step = round}, 0)[0] % 50'000;
      std::this_thread::sleep_for(std::chrono::microseconds(pause));
    }
    const std::int64_t complete = last_noted(file);
    const std::int64_t loaded = loaded_step(store_);
    EXPECT_GE(loaded, complete);
    store_.recover();
    store_.clean_up();
    EXPECT_GE(loaded_step(store_), loaded);
    EXPECT_EQ(count_entries(directory_.path()), std::ssize(store_.entries()));
    first = std::max<std::int64_t>(loaded_step(store_), 0) + 1;
  }
  EXPECT_GT(first, 7) << "each second child completes at least one";
}

// No file may grow beyond a limit: the write fails in the middle, as on a full disk or quota.
TEST_F(Fault, AWriteThatFailsInTheMiddle) {
  save_steps(store_, {1});
  const int status = status_in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit original = [] {
      rlimit limit{};
      getrlimit(RLIMIT_FSIZE, &limit);
      return limit;
    }();
    rlimit limit = original;
    limit.rlim_cur = 10000;
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string error = save_steps(store_, {2}).at(0).error;
    setrlimit(RLIMIT_FSIZE, &original);
    if (error.find("rank-0000.h5") == std::string::npos) return 1;
    if (count_entries(directory_.path()) != 1) return 2;
    if (loaded_step(store_) != 1) return 3;
    if (!save_steps(store_, {3}).at(0).ok()) return 4;  // the same process goes on
    return loaded_step(store_) == 3 ? 0 : 5;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(loaded_step(store_), 3);
}

// A small file system of its own, where the test may mount one.
class FullDisk : public Fault {
 protected:
  void SetUp() override {
    if (mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, "size=400k") != 0) {
      GTEST_SKIP() << "cannot mount: " << std::strerror(errno);
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) umount2(directory_.path().c_str(), MNT_DETACH);
  }
  void fill_disk() {
    std::ofstream file(directory_.path() / "filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), std::ssize(block)).flush()) {
    }
  }
  bool mounted_ = false;
};

TEST_F(FullDisk, IsReportedAndTrainingGoesOn) {
  ASSERT_EQ(save_steps(store_, {1}).at(0).error, "");
  // Filled before the check of the free space, and after it.
  for (const bool ahead : {true, false}) {
    if (ahead) fill_disk();
    CheckpointWriterOptions options;
    options.on_stage = [&](std::string_view stage) {
      if (!ahead && stage == "begin") fill_disk();
    };
    const std::string error = save_steps(store_, {2}, options).at(0).error;
    EXPECT_THAT(error, HasSubstr(ahead ? "are free" : "rank-0000.h5"));
    fs::remove(directory_.path() / "filler");
    EXPECT_EQ(count_entries(directory_.path()), 1);
    EXPECT_EQ(loaded_step(store_), 1);
  }
  EXPECT_EQ(save_steps(store_, {3}).at(0).error, "");
  EXPECT_EQ(loaded_step(store_), 3);
}

}  // namespace
}  // namespace edt::test
