// The built program under mpirun: output once, one line for an error, no rank left waiting.
#include <gmock/gmock-matchers.h>
#include <sched.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/json/json_text.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

const std::string& kProgram = edt_program();

std::size_t count_of(const std::string& what, const std::string& text) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(CliRanks, RankZeroAnswersForAll) {
  const Outcome version = mpirun("-np 3 " + kProgram + " --version");
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.output, shell(kProgram + " --version").output);
}

TEST(CliRanks, ShareTheCoresOfTheirNode) {
  const Outcome doctor = mpirun("-np 2 env -u OMP_NUM_THREADS " + kProgram + " doctor --json");
  ASSERT_THAT(doctor.status, testing::AnyOf(0, 1));
  cpu_set_t set;
  CPU_ZERO(&set);
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(parse_json(doctor.output, "output")["machine"]["openmp_threads"],
            std::max(1, CPU_COUNT(&set) / 2));
}

// A machine of two memory domains, whatever this one is: hwloc is told so, the cores are real.
std::string two_domains() {
  return "env 'HWLOC_SYNTHETIC=pack:2 [numa(memory=1GB)] pu:1' HWLOC_THISSYSTEM=1 ";
}

TEST(CliRanks, EachIsBoundToAMemoryDomain) {
  cpu_set_t set;
  CPU_ZERO(&set);
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  if (!CPU_ISSET(0, &set) || !CPU_ISSET(1, &set)) GTEST_SKIP() << "cores 0 and 1 are not ours";
  const auto cores = [](const std::string& arguments) {
    const Outcome doctor =
        mpirun("-np " + arguments + two_domains() + kProgram + " doctor --json /tmp");
    const auto json = parse_json(doctor.output, "output");
    std::vector<std::string> of_ranks;
    for (const auto& rank : json["placement"][0]["ranks"]) of_ranks.push_back(rank["cores"]);
    return of_ranks;
  };
  EXPECT_THAT(cores("2 "), testing::ElementsAre("0", "1"));
  EXPECT_THAT(cores("3 "), testing::ElementsAre("0-1", "0-1", "0-1"));
  EXPECT_THAT(cores("2 taskset -c 0,1 env OMP_PROC_BIND=close "),
              testing::ElementsAre("0-1", "0-1"));
  const TempDir directory;
  const std::string data = (directory / "set").string(), run = (directory / "run").string();
  write_tiny_set(data);
  const std::string train =
      "-np 2 " + two_domains() + kProgram + " train " + tiny_training(data, run);
  EXPECT_THAT(mpirun(train + " --steps 1", "2>&1 >/dev/null").output,
              HasSubstr("has 2 memory domains, its 2 ranks run on cores 0 | 1"));
  EXPECT_THAT(mpirun(train + " --steps 2 --bind none", "2>&1 >/dev/null").output,
              HasSubstr("run in several of its 2 memory domains"));
  // Where they were not told the same none waits for another.
  const std::string step = kProgram + " bench step --rounds 1 --micro-batch 1" + kTinyModel;
  EXPECT_EQ(mpirun("-np 1 " + step + " : -np 1 " + step + " --bind none").status, 0);
}

TEST(CliRanks, AnErrorOfAllRanksIsPrintedOnce) {
  const Outcome refused = mpirun("-np 3 " + kProgram + " data synth --out /nowhere", "2>&1");
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.output, "edt: error: [data synth] runs on one rank, the launcher started 3\n");
  const Outcome wrong = mpirun("-np 4 " + kProgram + " train --parallel.zero=7", "2>&1");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_EQ(wrong.output, shell(kProgram + " train --parallel.zero=7 2>&1").output);
  EXPECT_EQ(count_of("\n", wrong.output), 1u) << wrong.output;
}

// As where a file is there on one node only: one path, which leads each rank to where it runs.
TEST(CliRanks, WhatOneRankLacksIsNamedWithIt) {
  const TempDir directory;
  const std::string there = (directory / "there").string(), not_there = directory.path().string();
  ASSERT_EQ(
      shell(kProgram + " data synth --quiet --samples 8 --image-size 64 --out " + there + "/data")
          .status,
      0);
  const std::string train =
      kProgram +
      " train --model.preset=EDT-Ti/2 --model.image-size=64 --train.batch=4 --train.micro-batch=2 "
      "--data.path=/proc/self/cwd/data --run.dir=" +
      (directory / "run").string();
  for (const int rank : {0, 1}) {
    const Outcome refused =
        mpirun("-np 1 -wdir " + (rank == 0 ? not_there : there) + " " + train + " : -np 1 -wdir " +
                   (rank == 0 ? there : not_there) + " " + train,
               "2>&1");
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.output,
                testing::StartsWith("edt: error: rank " + std::to_string(rank) + " of 2 on "));
    EXPECT_THAT(refused.output, HasSubstr("/proc/self/cwd/data: there is no such data set"));
    EXPECT_EQ(count_of("\n", refused.output), 1u) << refused.output;
  }
}

// Chosen of what all know alike; where they were not told the same, none waits for another.
TEST(CliRanks, ChooseOneMicroBatch) {
  const TempDir directory;
  const std::string data = (directory / "set").string(), run = (directory / "run").string();
  write_tiny_set(data);
  const std::string train = kProgram + " train --quiet --data " + data + " --run.dir " + run +
                            kTinyModel + "--train.batch 8 --train.steps 1";
  const Outcome differ =
      mpirun("-np 1 " + train + " : -np 1 " + train + " --micro-batch 4", "2>&1");
  EXPECT_EQ(differ.status, 2);
  EXPECT_THAT(differ.output, HasSubstr("micro-batch = 4"));
  const Outcome trained = mpirun("-np 4 " + train, "2>&1");
  EXPECT_EQ(trained.status, 0) << trained.output;
  EXPECT_THAT(read_text(directory / "run/config.ini"), HasSubstr("micro-batch = 2\n"));
  const Outcome alone = shell(train + " --train.steps 2 2>&1");  // where 8 would be chosen
  EXPECT_EQ(alone.status, 0) << alone.output;
  EXPECT_THAT(read_text(directory / "run/config.ini"), HasSubstr("micro-batch = 2\n"));
}

TEST(CliRanks, AnErrorOfOneRankEndsTheOthers) {
  const TempDir directory;  // the probes of a doctor that is ended stay
  const Outcome failed = mpirun("-np 1 " + kProgram + " doctor " + directory.path().string() +
                                    " : -np 1 " + kProgram + " dokter",
                                "2>&1");
  EXPECT_EQ(failed.status, 2);
  EXPECT_THAT(failed.output, HasSubstr("edt: error: rank 1 of 2 on "));
  EXPECT_THAT(failed.output, HasSubstr("[edt] unknown command 'dokter'; did you mean 'doctor'?"));
}

// Files must not only look alike: the grid of any ranks has the bytes of that of one rank.
TEST(CliRanks, PicturesDoNotDependOnTheRanks) {
  const TempDir directory;
  const auto path = [&](const std::string& name) { return (directory / name).string(); };
  const std::string train =
      kProgram + " train --quiet --model.preset=EDT-Ti/2 --model.image-size=64 --train.batch=4 " +
      "--train.micro-batch=2 --train.steps=2 --data.path=" + path("data") +
      " --run.dir=" + path("run");
  write_tiny_set(path("data"), 48);
  ASSERT_EQ(mpirun("-np 2 " + train).status, 0);
  const auto grid = [&](int ranks) {
    const std::string file = path(std::to_string(ranks) + ".png");
    const Outcome made =
        mpirun("-np " + std::to_string(ranks) + " " + kProgram +
               " sample --quiet --threads 1 --images 5 --batch 2 --steps 3 --checkpoint " +
               path("run") + " --out " + file);
    EXPECT_EQ(made.status, 0);
    return read_text(file);
  };
  const std::string one = grid(1);
  EXPECT_GT(one.size(), 1000u);
  EXPECT_EQ(grid(2), one);
  EXPECT_EQ(grid(3), one);
}

TEST(CliRanks, ARankThatStallsIsNamed) {
  const TempDir directory;
  const auto path = [&](const std::string& name) { return (directory / name).string(); };
  write_tiny_set(path("data"), 48);
  // The second rank is frozen once the run has begun.
  const Outcome stalled =
      mpirun("-np 2 -x EDT_FAULT='1 phase:forward 3 freeze' " + faulty_program() +
                 " train --quiet --model.preset=EDT-Ti/2 --model.image-size=64 --train.batch=4 "
                 "--train.micro-batch=2 --train.steps=1000000 --run.checkpoint-every=0 "
                 "--run.timeout=5 --run.start-timeout=0 --data.path=" +
                 path("data") + " --run.dir=" + path("run"),
             "2>&1");
  EXPECT_EQ(stalled.status, 5) << stalled.output;
  EXPECT_THAT(stalled.output, HasSubstr("[watchdog] rank 1 of 2 on "));
  EXPECT_THAT(read_text(path("run/logs/stall-rank-0.json")), HasSubstr("\"collectives\""));
}

TEST(CliRanks, ProcessesThatMpiDoesNotConnectAreRefused) {
  const Outcome refused = shell("SLURM_STEP_NUM_TASKS=4 " + kProgram + " --version 2>&1");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.output, HasSubstr("srun started 4 processes without PMIx"));
}

TEST(CliRanks, CollectivesAreTimedAgainstMpi) {
  const Outcome bench =
      mpirun("-np 2 " + kProgram + " bench comm --sizes 8,70000 --rounds 1 --dtype float64 --json");
  ASSERT_EQ(bench.status, 0);
  const auto lines = parse_json(bench.output, "output")["lines"];
  ASSERT_EQ(lines.size(), 9u);  // the barrier has no size
  for (const auto& line : lines) {
    EXPECT_GT(line["edt"]["seconds"], 0) << line;
    EXPECT_GT(line["mpi"]["seconds"], 0) << line;
    EXPECT_GT(line["speed_over_mpi"], 0) << line;
  }
  const Outcome alone = shell(kProgram + " bench comm 2>&1");
  EXPECT_EQ(alone.status, 2);
  EXPECT_THAT(alone.output, HasSubstr("[bench comm] there is one rank"));
}

}  // namespace
}  // namespace edt::test
