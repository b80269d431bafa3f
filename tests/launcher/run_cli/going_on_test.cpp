// What a start of a run that is there already may change, and what it says of that.
#include "tests/launcher/run_cli/shell_run.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class GoingOn : public ShellRun {};

// Before the count was kept, the place was step x batch: samples were left out or seen twice.
TEST_F(GoingOn, AnotherBatchGoesOnAtThePlaceInTheData) {
  trained(4);
  trained(6, "--train.batch 8 --accept-changes");
  trained(7, "--train.batch 2 --accept-changes");
  const std::vector<int> seen{4, 8, 12, 16, 24, 32, 34};
  const auto lines = metrics();
  ASSERT_EQ(lines.size(), seen.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(lines[i]["samples_seen"], seen[i]) << "step " << i + 1;
    EXPECT_DOUBLE_EQ(lines[i]["epoch"].get<double>(), seen[i] / 32.0);
  }
  EXPECT_EQ(lines[4]["changed"], "train.steps 4 -> 6, train.batch 4 -> 8");
  EXPECT_FALSE(lines[5].contains("changed"));
  EXPECT_EQ(lines[6]["changed"], "train.steps 6 -> 7, train.batch 8 -> 2");
}

TEST_F(GoingOn, WhatChangesTheCurveIsRefusedUntilSomebodyAcceptsIt) {
  trained(2);
  const auto before = files();
  const std::string other = "--steps 3 --train.batch 8 --optimizer.lr 0.5 --train.masked off ";
  EXPECT_THAT(refused(start(other) + "</dev/null"),
              AllOf(HasSubstr("step-000002"), HasSubstr("train.batch 4 -> 8"),
                    HasSubstr("optimizer.lr 0.001 -> 0.5"), HasSubstr("train.masked on -> off"),
                    Not(HasSubstr("train.steps")), HasSubstr("--accept-changes")));
  EXPECT_THAT(refused(start("--steps 3 --run.dtype bf16 </dev/null")),
              HasSubstr("run.dtype float32 -> bf16"));
  auto after = files();
  for (const char* held : {"generation", "logs/rank-00000.log"}) after[held] = before.at(held);
  EXPECT_EQ(after, before);

  const auto accepted = all_of(start(other + "--accept-changes"));
  EXPECT_EQ(accepted.status, 0) << accepted.output;
  EXPECT_THAT(accepted.output, AllOf(HasSubstr("train.batch was 4 in step-000002, now it is 8"),
                                     HasSubstr("train.steps was 2 in step-000002, now it is 3")));
  // From now on that is its configuration.
  EXPECT_EQ(all_of(start("--quiet --steps 4 --train.batch 8 --optimizer.lr 0.5 --train.masked off"))
                .status,
            0);
  EXPECT_THAT(read_text(run_ + "/config.ini"), Not(HasSubstr("accept")));
}

// In a terminal of its own; what it says and what is typed come back together.
// "Nothing to do" was the answer to whoever took the directory of a finished run for another one.
TEST_F(GoingOn, AFinishedRunIsNotAnotherOne) {
  trained(2);
  EXPECT_THAT(all_of(start("--steps 2")).output, HasSubstr("nothing to do"));
  const auto before = files();
  const std::string line = refused(start("--steps 2 --optimizer.lr 0.5"));
  EXPECT_THAT(line, AllOf(HasSubstr("has reached step 2 with other options: optimizer.lr"),
                          HasSubstr("-> 0.5"), HasSubstr("another --run.dir")));
  EXPECT_THAT(refused(start("--steps 1 --model EDT-S/2")), HasSubstr("model.preset"));
  EXPECT_EQ(files(), before);
  EXPECT_EQ(all_of(start("--steps 2 --optimizer.lr 0.5 --accept-changes")).status, 0);
  EXPECT_EQ(all_of(start("--steps 2 --run.log-every 5")).status, 0);
}

TEST_F(GoingOn, OnATerminalItAsks) {
  if (shell("script --version >/dev/null 2>&1").status != 0) GTEST_SKIP() << "no script(1)";
  trained(2);
  const auto answered = [&](const std::string& answer) {
    return shell("cd " + path_ + " && echo " + answer + " | script -qec '" + edt_program() +
                 " train --run.dir run --steps 3 --train.batch 8' /dev/null");
  };
  const auto declined = answered("n");
  EXPECT_EQ(declined.status, 2);
  EXPECT_THAT(declined.output, AllOf(HasSubstr("train.batch 4 -> 8. Go on? [y/N]"),
                                     HasSubstr("edt: error: [checkpoint]")));
  const auto accepted = answered("y");
  EXPECT_EQ(accepted.status, 0) << accepted.output;
  EXPECT_EQ(last_step()["samples_seen"], 16);
}

TEST_F(GoingOn, WhatChangesNoWeightNeedsNothing) {
  trained(2);
  const auto outcome = all_of(
      start("--steps 3 --run.log-every 1 --run.keep-checkpoints 4 --parallel.zero 0 "
            "--train.micro-batch 4 --train.recompute full --data.prefetch 2 --run.timeout 0"));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("parallel.zero was 1 in step-000002, now it is 0"));
  EXPECT_THAT(last_step()["changed"].get<std::string>(), HasSubstr("train.recompute none -> full"));
  EXPECT_EQ(last_step()["samples_seen"], 12);
}

// The same samples at another place are the same data set, others at the same place are not.
TEST_F(GoingOn, ADataSetIsWhatIsInIt) {
  trained(2);
  ASSERT_EQ(shell("mv " + data_ + " " + path_ + "/moved").status, 0);
  const std::string moved = "train --run.dir run --steps 3 --data moved --quiet";
  EXPECT_EQ(all_of(moved).status, 0);
  ASSERT_EQ(edt("data synth --quiet --out other --samples 32 --image-size 64 --seed 9").status, 0);
  EXPECT_THAT(refused("train --run.dir run --steps 4 --data other </dev/null"),
              HasSubstr("data set's checksum of values"));
  ASSERT_EQ(edt("data synth --quiet --out larger --samples 40 --image-size 64").status, 0);
  EXPECT_THAT(refused("train --run.dir run --steps 4 --data larger </dev/null"),
              HasSubstr("data set's samples 32 -> 40"));
  EXPECT_EQ(all_of("train --run.dir run --steps 4 --data larger --accept-changes --quiet").status,
            0);
}

}  // namespace
}  // namespace edt::test
