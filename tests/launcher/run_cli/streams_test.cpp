// Nobody may be listening: closed, broken, full and stalled streams, and the end of a terminal.
#include <fcntl.h>
#include <unistd.h>

#include "tests/launcher/run_cli/shell_run.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

class Streams : public ShellRun {
 protected:
  // In bash, for the status of the first command of a pipe. Its last line is that status.
  int status_in_bash(const std::string& script) const {
    write_text(path_ + "/script", "cd " + path_ + "\nset -m\n" + script + "\n");
    const auto outcome = shell("bash " + path_ + "/script 2>&1");
    const auto line = outcome.output.rfind('\n', outcome.output.size() - 2);
    return std::stoi(outcome.output.substr(line == std::string::npos ? 0 : line + 1));
  }
  const std::string& program() const { return edt_program(); }
  // All steps are there, once, and status and outcome agree.
  void expect_whole(int steps) const {
    const auto lines = metrics();
    ASSERT_EQ(lines.size(), static_cast<std::size_t>(steps));
    for (int i = 0; i < steps; ++i) EXPECT_EQ(lines[static_cast<std::size_t>(i)]["step"], i + 1);
    EXPECT_EQ(outcome()["status"], 0);
    EXPECT_EQ(outcome()["step"], steps);
  }
  const std::string begin_ = start("--run.log-every 1 --run.checkpoint-every 2 ");
};

TEST_F(Streams, AReaderThatGoesAwayEndsNoTraining) {
  EXPECT_EQ(status_in_bash(program() + " " + begin_ +
                           "--steps 6 2>&1 | head -c 10 >/dev/null; echo ${PIPESTATUS[0]}"),
            0);
  expect_whole(6);
}

TEST_F(Streams, OutputOnAFullDiskEndsNoTraining) {
  EXPECT_EQ(all_of(begin_ + "--steps 2 >/dev/full").status, 0);
  expect_whole(2);
  const auto log_only =
      shell("cd " + path_ + " && " + program() + " " + begin_ + "--steps 4 >/dev/full 2>/dev/full");
  EXPECT_EQ(log_only.status, 0);
  expect_whole(4);
  EXPECT_THAT(read_text(run_ + "/logs/rank-00000.log"),
              HasSubstr("standard output cannot be written"));
}

// Before, lines for the terminal went into metrics.jsonl, which got its descriptor.
TEST_F(Streams, ClosedFromTheStart) {
  EXPECT_EQ(
      shell("cd " + path_ + " && " + program() + " " + begin_ + "--steps 3 <&- >&- 2>&-").status,
      0);
  expect_whole(3);
  EXPECT_EQ(
      shell("cd " + path_ + " && " + program() + " " + begin_ + "--steps 5 2>&- </dev/null").status,
      0);
  expect_whole(5);
}

TEST_F(Streams, AResultThatCannotBeWrittenIsAFailure) {
  trained(1);
  const std::string sample =
      "sample --quiet --checkpoint run --classes 1 --steps 2 --out x.png --json ";
  for (const std::string& command : {std::string("data info data "), std::string("ckpt info run "),
                                     std::string("plan --help "), sample}) {
    const auto full = edt(command + ">/dev/full");
    EXPECT_EQ(full.status, 5) << command;
    EXPECT_THAT(full.errors, HasSubstr("standard output cannot be written")) << command;
    const auto closed = edt(command + ">&-");
    EXPECT_EQ(closed.status, 1) << command;
    EXPECT_THAT(closed.errors, HasSubstr("standard output cannot be written")) << command;
  }
}

// head, and a pager that is left, have what they wanted: no error, as in training. The reader is
// gone before anything is written.
TEST_F(Streams, AReaderThatGoesAwayHasWhatItWanted) {
  trained(1);
  for (const std::string command :
       {"data info data", "ckpt info run", "help train", "--help", "--version",
        "sample --quiet --checkpoint run --classes 1 --steps 2 --out x.png --json"}) {
    EXPECT_EQ(shell("cd " + path_ + " && bash -c 'exec 9> >(true); wait $!; " + program() + " " +
                    command + " >&9' 2>&1; echo $?")
                  .output,
              "0\n")
        << command;
  }
}

// Whoever takes from the pipe stands still, as a pager does: more lines than it holds are dropped.
TEST_F(Streams, AReaderThatStandsStillHoldsUpNoTraining) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int size = fcntl(ends[1], F_SETPIPE_SZ, 4096);
  ASSERT_GT(size, 0);
  const std::string filler(static_cast<std::size_t>(size), '.');
  ASSERT_EQ(::write(ends[1], filler.data(), filler.size()), size);
  constexpr int kOneDigit = 9;  // more a shell does not know
  ASSERT_EQ(dup2(ends[1], kOneDigit), kOneDigit);
  EXPECT_EQ(edt(begin_ + "--steps 8 >/dev/null 2>&9").status, 0);
  for (const int end : {ends[0], ends[1], kOneDigit}) close(end);
  expect_whole(8);
}

TEST_F(Streams, AHangUpSavesAndEndsAsATerminationDoes) {
  for (const char* name : {"HUP", "TERM", "USR2", "XCPU"}) {
    const int status = status_in_bash(
        program() + " " + begin_ + "--steps 100000 </dev/null >/dev/null 2>&1 & pid=$!; " +
        "begin=$(cat run/metrics.jsonl 2>/dev/null | wc -l); for i in $(seq 600); do " +
        "[ $(cat run/metrics.jsonl 2>/dev/null | wc -l) -gt $begin ] && break; sleep 0.05; done; "
        "kill -" +
        name + " $pid; wait $pid; echo $?");
    EXPECT_EQ(status, 3) << name;
    EXPECT_EQ(outcome()["status"], 3) << name;
    EXPECT_EQ(outcome()["what"], std::string("SIG") + name);
    EXPECT_EQ(outcome()["step"], last_step()["step"]) << name;
  }
}

TEST_F(Streams, UnderNohupAHangUpIsNothing) {
  // It waits in step 4 until the signal is there.
  const int status =
      status_in_bash("EDT_FAULT='0 phase:optimizer 4 wait held' nohup " + faulty_program() + " " +
                     start("--steps 8 ") + "</dev/null >/dev/null 2>&1 & pid=$!; " +
                     "for i in $(seq 600); do [ -e held.0 ] && break; sleep 0.05; done; "
                     "kill -HUP $pid && touch held.go; wait $pid; echo $?");
  EXPECT_EQ(status, 0);
  expect_whole(8);
}

}  // namespace
}  // namespace edt::test
