#include "launcher/run/run_directory.h"

#include <fcntl.h>
#include <gmock/gmock-matchers.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/access.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/wait_until.h"

namespace edt {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr RunLock::Timing kQuick{.renew = milliseconds(10),
                                 .stale_after = milliseconds(200),
                                 .ending = milliseconds(30),
                                 .look = milliseconds(10)};

std::string host() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

Communicator& alone() {
  static const auto ranks = make_self_communicator();
  return *ranks;
}

std::string refusal(const std::filesystem::path& lock, const RunLock::Timing& timing = kQuick) {
  return test::message_of<UsageError>([&] { RunLock(lock, timing); });
}

TEST(RunDirectory, HoldsItsPartsAndLetsGo) {
  test::TempDir directory;
  {
    const RunDirectory run(directory / "a/b", alone());
    for (const auto& part : {run.tensorboard(), run.checkpoints(), run.samples()}) {
      EXPECT_TRUE(std::filesystem::is_directory(part)) << part;
    }
    EXPECT_EQ(run.sample_grid(1000).filename(), "step-00001000.png");
    run.begin("a = 1\n");
    run.write_outcome(0, 1, "done");
    run.begin("a = 2\n");
    EXPECT_FALSE(std::filesystem::exists(run.outcome()));
    EXPECT_EQ(test::read_text(run.config()), "a = 2\n");
    EXPECT_TRUE(std::filesystem::exists(directory / "a/b/lock"));
    EXPECT_FALSE(std::filesystem::exists(directory / "a/b/config.ini.new"));
    EXPECT_FALSE(std::filesystem::exists(directory / "a/b/.config.ini.partial"));
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "a/b/lock"));
}

// Its files would be taken for parts of what is there.
TEST(RunDirectory, IsNoDataSetAndNoCheckpoint) {
  test::TempDir directory;
  const auto refused = [](const std::filesystem::path& path) {
    return test::message_of<UsageError>([&] { const RunDirectory run(path, alone()); });
  };
  test::write_text(directory / "set/shard-00000-of-00001.h5", "");
  EXPECT_THAT(refused(directory / "set"), HasSubstr("set holds a data set: a run needs"));
  {
    const RunDirectory run(directory / "run", alone());
    run.begin("");
  }
  test::write_text(directory / "run/checkpoints/step-000001/manifest.json", "{}");
  test::write_text(directory / "run/checkpoints/step-000001/rank-0000.h5", "");
  EXPECT_THAT(refused(directory / "run/checkpoints"), HasSubstr("holds the checkpoints of a run"));
  EXPECT_THAT(refused(directory / "run/checkpoints/step-000001"), HasSubstr("holds a checkpoint"));
  EXPECT_EQ(refused(directory / "run"), "");
  // As runs before this version were begun: they go on.
  test::write_text(directory / "run/shard-00000-of-00001.h5", "");
  EXPECT_EQ(refused(directory / "run"), "");
}

TEST(RunDirectory, APipeIsNoFile) {
  test::TempDir directory;
  std::filesystem::create_directory(directory / "run");
  ASSERT_EQ(mkfifo((directory / "run/metrics.jsonl").c_str(), 0600), 0);
  EXPECT_THAT(
      test::message_of<UsageError>([&] { const RunDirectory run(directory / "run", alone()); }),
      HasSubstr("metrics.jsonl is a pipe, a file is needed"));
}

// They were status 1, when something was to be written behind them.
TEST(RunDirectory, LinksThatLeadNowhereAreNamed) {
  test::TempDir directory;
  std::filesystem::create_directory(directory / "run");
  const auto refused = [&](const char* file, const std::filesystem::path& target) {
    const std::filesystem::path link = directory / "run" / file;
    std::filesystem::create_symlink(target, link);
    const std::string message =
        test::message_of<UsageError>([&] { const RunDirectory run(directory / "run", alone()); });
    std::filesystem::remove(link);
    return message;
  };
  for (const char* file : {"config.ini", "generation", "metrics.jsonl", "outcome.json", "lock"}) {
    EXPECT_THAT(refused(file, file), HasSubstr(file + std::string(", which leads nowhere")));
    EXPECT_THAT(refused(file, "/nothing/here"), HasSubstr("is a link to /nothing/here, which"));
  }
  EXPECT_EQ(refused("config.ini", directory / "elsewhere.ini"), "");  // begun behind it
}

TEST(RunDirectory, LogsGoToTheFileOfTheRank) {
  test::TempDir directory;
  const RunDirectory run(directory / "run", alone());
  log::set_level(log::Level::kInfo);
  run.open_log();
  log::info("hello from the run");
  log::flush();
  EXPECT_THAT(test::read_text(run.log(0)), HasSubstr("hello from the run"));
}

// Somebody tidies up: what is said later goes to a file again, where its folder is there.
TEST(RunDirectory, ALogThatIsRemovedIsBegunAnew) {
  test::TempDir directory;
  RunDirectory run(directory / "run", alone());
  log::set_level(log::Level::kInfo);
  run.open_log();
  log::info("one");
  std::filesystem::remove_all(directory / "run/logs");
  log::info("two");
  EXPECT_FALSE(std::filesystem::exists(directory / "run/logs"));
  std::filesystem::create_directory(directory / "run/logs");
  log::info("three");
  log::flush();
  EXPECT_THAT(test::read_text(run.log(0)), HasSubstr("three"));
}

// A run whose directory is taken from it.
class GoneDirectory : public testing::Test {
 protected:
  GoneDirectory() { run_.begin("a = 1\n"); }

  std::string error() {
    return test::message_of<DiskError>([&] { run_.require_kept(7); });
  }
  std::string warning() {
    testing::internal::CaptureStderr();
    run_.require_kept(7);
    log::flush();
    return testing::internal::GetCapturedStderr();
  }

  const test::TempDir directory_;
  const std::filesystem::path path_ = directory_ / "run", other_ = directory_ / "other";
  RunDirectory run_{path_, alone()};
};

TEST_F(GoneDirectory, NothingIsSaidWhereAllIsAsItWas) { EXPECT_EQ(warning(), ""); }

TEST_F(GoneDirectory, ARemovedOneIsLost) {
  std::filesystem::remove_all(path_);
  EXPECT_EQ(error(), fmt::format("[run] {} was removed while the run trained: step 7 and those "
                                 "since the last checkpoint are lost with it",
                                 path_.string()));
  run_.write_outcome(5, 7, "it was removed");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(GoneDirectory, ARenamedOneIsFound) {
  std::filesystem::rename(path_, other_);
  const std::string there = std::filesystem::canonical(other_).string();
  EXPECT_EQ(error(), fmt::format("[run] {} was renamed to {} while the run trained: step 7 and "
                                 "those since the last checkpoint are lost; `edt train --run.dir "
                                 "{}` goes on",
                                 path_.string(), there, there));
}

// What is written of this run belongs neither into a directory of somebody else's.
TEST_F(GoneDirectory, AnotherOfItsNameIsLeftAlone) {
  std::filesystem::rename(path_, other_);
  std::filesystem::create_directory(path_);
  EXPECT_THAT(error(), HasSubstr("while the run trained, and something else has its name: step 7"));
  run_.write_outcome(5, 7, "it was renamed");
  EXPECT_TRUE(std::filesystem::is_empty(path_));
}

// The writer of a checkpoint makes its folder anew, too, before anybody looks.
TEST_F(GoneDirectory, AFolderThatIsThereAgainIsTold) {
  std::filesystem::rename(run_.checkpoints(), other_);
  std::filesystem::create_directory(run_.checkpoints());
  EXPECT_THAT(warning(), HasSubstr("checkpoints was renamed to " +
                                   std::filesystem::canonical(other_).string() +
                                   " while the run trained: another has its name"));
  EXPECT_EQ(warning(), "");
}

TEST_F(GoneDirectory, FoldersAreMadeAnew) {
  std::filesystem::remove_all(run_.checkpoints());
  std::filesystem::rename(path_ / "logs", path_ / "old");
  const std::string said = warning();
  EXPECT_THAT(said, HasSubstr("checkpoints was removed, with what was in it, while the run "
                              "trained: it is made anew"));
  EXPECT_THAT(said, HasSubstr("logs was renamed to "));
  EXPECT_TRUE(std::filesystem::is_directory(run_.checkpoints()));
  EXPECT_TRUE(std::filesystem::is_directory(path_ / "logs"));
  EXPECT_EQ(warning(), "");
}

// Whoever removes all of it shall find nothing made again.
TEST_F(GoneDirectory, OneThatIsBeingRemovedIsLeftAlone) {
  for (const char* name : {"lock", "config.ini", "samples"}) {
    std::filesystem::remove_all(path_ / name);
  }
  EXPECT_THAT(error(), HasSubstr("was removed while the run trained"));
  EXPECT_FALSE(std::filesystem::exists(run_.samples()));
}

// As where the disk that holds the checkpoints is unmounted.
TEST_F(GoneDirectory, FoldersThatLeadElsewhereEndTheRun) {
  std::filesystem::remove(run_.checkpoints());
  std::filesystem::create_directory_symlink(directory_ / "none", run_.checkpoints());
  EXPECT_THAT(error(), HasSubstr("checkpoints is no more the directory on the file system"));
  std::filesystem::remove(run_.checkpoints());
  test::write_text(run_.checkpoints(), "");
  EXPECT_THAT(error(), HasSubstr("was a disk unmounted"));
}

TEST(RunDirectory, RefusesWhatCannotBeADirectory) {
  test::TempDir directory;
  test::write_text(directory / "file", "");
  const auto opening = [](const std::filesystem::path& path) {
    return test::message_of<UsageError>([&] { const RunDirectory run(path, alone()); });
  };
  EXPECT_THAT(opening(directory / "file"), StartsWith("[run] "));
  EXPECT_THAT(opening(directory / "file/below"), HasSubstr("Not a directory"));
  EXPECT_THAT(opening(""), HasSubstr("has no name"));
  EXPECT_THAT(opening("/proc/run"), HasSubstr("/proc/run"));
  EXPECT_THAT(opening("/proc/self"), HasSubstr("cannot be written"));
}

TEST(RunLock, TwoRunsNeverShareADirectory) {
  test::TempDir directory;
  const RunDirectory run(directory / "run", alone());
  EXPECT_EQ(test::message_of<UsageError>([&] { RunDirectory(directory / "run", alone()); }),
            fmt::format("[run] {} is in use by process {} on {}", (directory / "run").string(),
                        getpid(), host()));
  EXPECT_TRUE(std::filesystem::exists(directory / "run/lock")) << "the refused one left it alone";
}

TEST(RunLock, TakesOverFromProcessesThatAreGone) {
  test::TempDir directory;
  const auto lock = directory / "lock";
  std::string identity;
  {
    const RunLock holder(lock);
    identity = test::read_text(lock);
  }
  const std::string boot_and_start = identity.substr(identity.find(' ', host().size() + 1) + 1);
  const std::string no_process = fmt::format("{} 4194304 {}", host(), boot_and_start);
  const std::string reused_number =
      fmt::format("{} {} {} 1\n", host(), getpid(), boot_and_start.substr(0, 36));
  const std::string earlier_boot = fmt::format("{} {} 0 0\n", host(), getpid());
  for (const std::string& stale : {no_process, reused_number, earlier_boot}) {
    test::write_text(lock, stale);
    EXPECT_EQ(refusal(lock), "") << stale;
    EXPECT_TRUE(std::filesystem::is_empty(directory.path())) << "removed at the end";
  }
}

TEST(RunLock, AnotherHostThatRenewsIsAlive) {
  test::TempDir directory;
  const auto lock = directory / "lock";
  test::write_text(lock, "elsewhere 12 boot 34\n");
  const std::jthread renewer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(milliseconds(20));
      std::filesystem::last_write_time(lock, std::filesystem::file_time_type::clock::now());
    }
  });
  // The first sign of life is enough, so a long time costs nothing.
  RunLock::Timing patient = kQuick;
  patient.stale_after = milliseconds(60'000);
  EXPECT_THAT(refusal(lock, patient), HasSubstr("is in use by process 12 on elsewhere"));
  EXPECT_EQ(test::read_text(lock), "elsewhere 12 boot 34\n");
}

TEST(RunLock, AnotherHostThatIsSilentIsGone) {
  test::TempDir directory;
  for (const char* content : {"elsewhere 12 boot 34\n", "", "not a lock"}) {
    test::write_text(directory / "lock", content);
    EXPECT_EQ(refusal(directory / "lock"), "") << content;
  }
}

TEST(RunLock, RenewsItsTimeStamp) {
  test::TempDir directory;
  const RunLock lock(directory / "lock", kQuick);
  const timespec past[2] = {{1'000'000, 0}, {1'000'000, 0}};
  utimensat(AT_FDCWD, (directory / "lock").c_str(), past, 0);
  EXPECT_TRUE(test::wait_until([&] {
    struct stat status {};
    stat((directory / "lock").c_str(), &status);
    return status.st_mtim.tv_sec > 1'000'000;
  })) << "not renewed";
}

}  // namespace
}  // namespace edt
