// Whose lock it is: of a job's earlier start, of another job, of one that ends, of one that came
// after.
#include "launcher/run/run_lock.h"

#include <fcntl.h>
#include <gmock/gmock-matchers.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "core/base/error.h"
#include "tests/support/child_process.h"
#include "tests/support/emulated_process.h"
#include "tests/support/message_of.h"
#include "tests/support/process_state.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/wait_until.h"

namespace edt {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr RunLock::Timing kHasty{.renew = milliseconds(5),
                                 .stale_after = milliseconds(200),
                                 .ending = milliseconds(30),
                                 .look = milliseconds(10)};

class RunLockOf : public testing::Test {
 protected:
  // What a lock of this process says, without its job.
  std::string identity() const {
    const RunLock lock(file_, kHasty);
    const std::string text = test::read_text(file_);
    return text.substr(0, text.rfind(' ', text.rfind(' ') - 1));
  }
  std::string refusal(const RunLock::Timing& timing = kHasty) const {
    return test::message_of<UsageError>([&] { RunLock(file_, timing); });
  }

  const test::TempDir directory_;
  const std::filesystem::path file_ = directory_ / "lock";
};

TEST_F(RunLockOf, AnEarlierStartOfTheSameJobIsTakenOver) {
  const std::string self = identity();
  const test::EnvironmentVariable job("SLURM_JOB_ID", "77"), restarts("SLURM_RESTART_COUNT", "1");
  const auto held_by = [&](const std::string& whose) {
    test::write_text(file_, self + " " + whose + "\n");
    return refusal();
  };
  EXPECT_EQ(held_by("77 0"), "");
  EXPECT_THAT(held_by("78 0"), HasSubstr("is in use")) << "another job";
  EXPECT_THAT(held_by("77 1"), HasSubstr("is in use")) << "the same start";
  EXPECT_THAT(held_by("77 2"), HasSubstr("is in use")) << "a later start";
}

// As ranks that live a little longer than what started them do.
TEST_F(RunLockOf, AHolderThatEndsIsWaitedFor) {
  test::ChildProcess holder([&] {
    const RunLock lock(file_);
    pause();
    return 0;
  });
  ASSERT_TRUE(test::wait_until([&] { return !test::read_text(file_).empty(); }));
  RunLock::Timing patient = kHasty;
  patient.ending = milliseconds(60'000);
  const std::jthread end([&] {
    std::this_thread::sleep_for(milliseconds(300));
    holder.send(SIGKILL);
  });
  EXPECT_EQ(refusal(patient), "");
}

bool is_zombie(const test::ChildProcess& process) {
  const std::string facts = test::read_text(fmt::format("/proc/{}/stat", process.id()));
  return facts.find(") Z ") != std::string::npos;
}

// Until somebody waits for it, a process that was killed keeps its number.
TEST_F(RunLockOf, AHolderThatWasKilledIsGoneBeforeItIsWaitedFor) {
  if (!test::others_see_our_start()) GTEST_SKIP() << "an emulator makes up what locks go by";
  test::ChildProcess holder([&] {
    const RunLock lock(file_);
    pause();
    return 0;
  });
  ASSERT_TRUE(test::wait_until([&] { return !test::read_text(file_).empty(); }));
  EXPECT_THAT(refusal(), HasSubstr("is in use"));
  holder.send(SIGKILL);
  EXPECT_TRUE(
      test::wait_until([&] { return look_at_lock(file_)->state == LockSight::State::kGone; }));
  EXPECT_TRUE(is_zombie(holder));
  EXPECT_EQ(refusal(), "");
  EXPECT_TRUE(is_zombie(holder));
}

// Its first thread has ended, another goes on: the number's state is that of a zombie.
TEST_F(RunLockOf, AHolderOfWhichAThreadLivesIsAlive) {
  if (!test::others_see_our_start()) GTEST_SKIP() << "an emulator makes up what locks go by";
  test::ChildProcess holder([&] {
    const RunLock lock(file_);  // the thread that renews it
    syscall(SYS_exit, 0);
    return 0;
  });
  ASSERT_TRUE(test::wait_until([&] { return is_zombie(holder); }));
  EXPECT_THAT(refusal(), HasSubstr("is in use"));
}

TEST_F(RunLockOf, SomebodyElsesIsLeftAlone) {
  const std::string other = "elsewhere 12 boot 34\n";
  {
    const RunLock lock(file_, kHasty);
    test::write_text(file_, other);
    const timespec past[2] = {{1'000'000, 0}, {1'000'000, 0}};
    utimensat(AT_FDCWD, file_.c_str(), past, 0);
    std::this_thread::sleep_for(20 * kHasty.renew);
    struct stat status {};
    stat(file_.c_str(), &status);
    EXPECT_EQ(status.st_mtim.tv_sec, 1'000'000) << "renewed";
  }
  EXPECT_EQ(test::read_text(file_), other);
}

}  // namespace
}  // namespace edt
