// What tests rely on: nothing that they start is left behind.
#include <gmock/gmock-matchers.h>
#include <signal.h>

#include <cstdlib>

#include "tests/support/child_process.h"
#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/wait_until.h"

namespace edt::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// One that has been killed stays a zombie until somebody asks for its status.
bool lives(pid_t process) {
  const std::string status = read_text("/proc/" + std::to_string(process) + "/stat");
  return !status.empty() && status.find(") Z ") == std::string::npos;
}

// A shell with a child in a session of its own, as mpirun's ranks are; the child's number.
pid_t grandchild(const TempDir& directory) {
  const auto file = directory / "id";
  EXPECT_TRUE(wait_until([&] { return read_text(file).find('\n') != std::string::npos; }));
  return std::atoi(read_text(file).c_str());
}
std::string with_grandchild(const TempDir& directory) {
  return "setsid sh -c 'echo $$ >" + (directory / "id").string() + "; exec sleep 100' & wait";
}

TEST(ChildProcess, EndsWithWhatItHasStarted) {
  const TempDir directory;
  pid_t child = 0, below = 0;
  {
    const ChildProcess process(with_grandchild(directory));
    child = process.id();
    below = grandchild(directory);
    EXPECT_TRUE(lives(child));
    EXPECT_TRUE(lives(below));
  }
  EXPECT_FALSE(lives(child));
  EXPECT_TRUE(wait_until([&] { return !lives(below); }, seconds(10)));
}

TEST(ChildProcess, SaysHowItEnded) {
  EXPECT_EQ(ChildProcess("exit 3").wait(), 3);
  EXPECT_EQ(ChildProcess("kill -TERM $$").wait(), -SIGTERM);
  EXPECT_EQ(ChildProcess("exec sleep 100").wait(seconds(0)), std::nullopt);
  EXPECT_EQ(status_in_child([] { return 5; }), 5);
}

TEST(Shell, KeepsTheStreamsApart) {
  const CommandOutcome outcome = shell("echo out; echo err >&2; exit 4");
  EXPECT_EQ(outcome.output, "out\n");
  EXPECT_EQ(outcome.errors, "err\n");
  EXPECT_EQ(outcome.status, 4);
}

TEST(Shell, ReadsMoreThanAPipeHolds) {
  EXPECT_EQ(shell("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2").output.size(), 300000u);
}

TEST(Shell, WhatHangsIsKilledAndNamed) {
  const TempDir directory;
  const CommandOutcome outcome = shell(with_grandchild(directory), seconds(1));
  EXPECT_EQ(outcome.status, -1);
  EXPECT_THAT(outcome.errors, HasSubstr("killed after 1 s: setsid"));
  const pid_t below = grandchild(directory);
  EXPECT_TRUE(wait_until([&] { return !lives(below); }, seconds(10)));
}

TEST(TempDir, IsGoneAfterwards) {
  std::filesystem::path path;
  {
    const TempDir directory;
    path = directory.path();
    write_text(directory / "below/file", "x");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace edt::test
