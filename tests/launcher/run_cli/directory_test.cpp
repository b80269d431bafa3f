// Each file of a run directory, lost, empty, damaged or of another run: what a start makes of it.
#include <gmock/gmock-more-matchers.h>
#include <sys/mount.h>

#include <fstream>

#include "core/json/json_text.h"
#include "tests/launcher/run_cli/shell_run.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

class RunFiles : public ShellRun {
 protected:
  void SetUp() override { trained(3); }

  std::string go_on(int steps) const {
    return "train --run.dir run --steps " + std::to_string(steps) + " ";
  }
  // Goes on to `steps` and says so; its lines.
  std::string goes_on(int steps, const std::string& more = "") const {
    const auto outcome = all_of(go_on(steps) + more);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(this->outcome()["status"], 0);
    EXPECT_EQ(this->outcome()["step"], steps);
    return outcome.output;
  }
  void damage_checkpoints() const {
    for (const auto& entry : fs::directory_iterator(run_ + "/checkpoints")) {
      std::ofstream(entry.path() / "rank-0000.h5", std::ios::in | std::ios::out) << "damaged";
    }
  }
  // Names that were there before and are not now, or have other contents; what a start writes at
  // once is left out.
  std::vector<std::string> changed(const std::map<std::string, std::string>& before) const {
    std::vector<std::string> names;
    const auto now = files();
    for (const auto& [name, text] : before) {
      if (name == "generation" || name.starts_with("logs/")) continue;
      if (!now.contains(name) || now.at(name) != text) names.push_back(name);
    }
    for (const auto& [name, text] : now) {
      if (!before.contains(name) && !name.starts_with("logs/")) names.push_back("+" + name);
    }
    return names;
  }
};

// Before, the run began at step 0 with status 0 and with its metrics anew.
TEST_F(RunFiles, AllCheckpointsDamaged) {
  damage_checkpoints();
  const auto before = files();
  EXPECT_THAT(refused(go_on(5)),
              AllOf(HasSubstr("no checkpoint in " + run_ + "/checkpoints is intact"),
                    HasSubstr("rank-0000.h5 is damaged"), HasSubstr("--run.on-damage=start-anew")));
  EXPECT_THAT(changed(before), testing::IsEmpty());

  EXPECT_THAT(goes_on(2, "--run.on-damage start-anew"), HasSubstr("beginning anew at step 0"));
  EXPECT_EQ(metrics().size(), 2u);
  EXPECT_EQ(read_text(run_ + "/metrics.jsonl.1"), before.at("metrics.jsonl"));
  EXPECT_TRUE(fs::exists(run_ + "/checkpoints/step-000003.damaged/rank-0000.h5"));
  // It asks for no second beginning: the next start goes on.
  goes_on(4, "--run.on-damage start-anew");
  EXPECT_EQ(metrics().size(), 4u);
}

TEST_F(RunFiles, SomeCheckpointsDamaged) {
  std::ofstream(run_ + "/checkpoints/step-000003/manifest.json") << "{}";
  EXPECT_THAT(goes_on(4), HasSubstr("skipping " + run_ + "/checkpoints/step-000003"));
  EXPECT_TRUE(fs::exists(run_ + "/checkpoints/step-000003.damaged"));
  EXPECT_EQ(metrics().size(), 4u);
}

TEST_F(RunFiles, AllCheckpointsLost) {
  const std::string checkpoints = run_ + "/checkpoints";
  fs::remove_all(checkpoints);
  EXPECT_THAT(refused(go_on(5)), HasSubstr("holds no checkpoint, but step 3 was saved there"));
  fs::remove(run_ + "/outcome.json");          // the metrics know it, too
  const std::string lost = refused(go_on(5));  // step 2 may have become complete too late for them
  EXPECT_THAT(lost, testing::ContainsRegex("holds no checkpoint, but step [12] was saved there"));
  EXPECT_EQ(refused(go_on(5) + "--run.resume off"), lost);
  EXPECT_EQ(metrics().size(), 3u);
  goes_on(5, "--run.on-damage start-anew");
  EXPECT_EQ(metrics().size(), 5u);
}

// Nothing was saved, so nothing is lost: the same steps are taken again.
TEST_F(RunFiles, KilledBeforeTheFirstCheckpoint) {
  fs::remove_all(run_ + "/checkpoints");
  fs::remove(run_ + "/outcome.json");
  std::string lines;
  for (nlohmann::json record : metrics()) {
    record.erase("saved");
    lines += dump_json(record) + "\n";
  }
  write_text(run_ + "/metrics.jsonl", lines);
  goes_on(2);
  EXPECT_EQ(metrics().size(), 2u);
}

TEST_F(RunFiles, AMarkThatIsLost) {
  for (int step = 1; step <= 3; ++step) {
    fs::remove(run_ + "/checkpoints/step-00000" + std::to_string(step) + "/complete");
  }
  EXPECT_THAT(goes_on(4), HasSubstr("step-000003 was not marked complete; every byte is as"));
  EXPECT_EQ(metrics().size(), 4u);
}

TEST_F(RunFiles, ACheckpointOfAnotherRun) {
  ASSERT_EQ(all_of("train --quiet --config run/config.ini --run.dir other --train.seed 8 --steps 5")
                .status,
            0);
  fs::rename(path_ + "/other/checkpoints/step-000005", run_ + "/checkpoints/step-000005");
  EXPECT_THAT(refused(go_on(6)), HasSubstr("was made with train.seed 8, now it is 0"));
}

TEST_F(RunFiles, MetricsLostOrEmpty) {
  fs::remove(run_ + "/metrics.jsonl");
  EXPECT_THAT(goes_on(4), HasSubstr("metrics.jsonl is not there, resuming at step 4"));
  EXPECT_EQ(metrics().size(), 1u);
  write_text(run_ + "/metrics.jsonl", "");
  EXPECT_THAT(goes_on(5), HasSubstr("metrics.jsonl has no records, resuming at step 5"));
}

// Moves or removes while the run trains: what happens to the directory, and how the run ends.
class RunThatLosesIts : public ShellRun {
 protected:
  // `loss` is a command in the test's directory; it comes behind the first checkpoint.
  CommandOutcome when(const std::string& loss,
                      const std::string& more = "--run.checkpoint-every 10") const {
    return shell(
        "cd " + path_ + " && { " + edt_program() + " " +
        start("--steps 1000000 --run.log-every 100000 " + more) +
        " >out 2>&1 & p=$!; } && until [ -e run/checkpoints/step-000010/complete ]; do kill "
        "-0 $p || exit 99; sleep 0.02; done; " +
        loss + "; wait $p; s=$?; cat out; exit $s");
  }
};

// Before, "cannot ask for the free space of ...: No such file or directory" at the next checkpoint.
TEST_F(RunThatLosesIts, NameEndsAtOnceAndGoesOnUnderTheNewOne) {
  const auto outcome = when("mv run moved");
  EXPECT_EQ(outcome.status, 5) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("edt: error: [run] " + run_ + " was renamed to " +
                                              path_ + "/moved while the run trained: step "),
                                    HasSubstr("`edt train --run.dir " + path_ + "/moved` goes on"),
                                    Not(HasSubstr("cannot create"))));
  EXPECT_FALSE(fs::exists(run_));
  EXPECT_EQ(all_of("train --quiet --run.dir moved --run.checkpoint-every 0 --steps 11").status, 0);
}

TEST_F(RunThatLosesIts, DirectoryEndsAtOnce) {
  const auto outcome = when("mv run gone; rm -r gone");
  EXPECT_EQ(outcome.status, 5) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("while the run trained: step "));
}

TEST_F(RunThatLosesIts, FoldersAndFilesGoesOn) {
  const auto outcome = when(
      "mv run/checkpoints c; rm -r run/logs run/tensorboard data; cp run/metrics.jsonl m; mv m "
      "run/metrics.jsonl; until ls run/checkpoints/step-*/complete >/dev/null 2>&1; do kill -0 $p "
      "|| break; sleep 0.02; done; touch run/stop");
  EXPECT_EQ(outcome.status, 4) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("run/checkpoints was renamed to " + path_ +
                                              "/c while the run trained"),
                                    HasSubstr("metrics.jsonl was replaced by another file"),
                                    HasSubstr("1 of its 1 shards were removed or renamed")));
  EXPECT_EQ(last_step()["step"], this->outcome()["step"]);
  EXPECT_TRUE(fs::exists(run_ + "/logs/rank-00000.log"));
}

// Before, some moves fell between the look at the folder and the look at its disk: "cannot ask for
// the free space of ...".
TEST_F(RunThatLosesIts, CheckpointsGoesOnAtAnyMoment) {
  const auto outcome = when(
      "for i in $(seq 12); do mv run/checkpoints c$i || break; until ls run/checkpoints/*/complete "
      ">/dev/null 2>&1; do kill -0 $p || break 2; sleep 0.01; done; done; touch run/stop",
      "--run.checkpoint-every 1");
  EXPECT_EQ(outcome.status, 4) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("run/checkpoints was renamed to " + path_ + "/c"));
  EXPECT_TRUE(fs::exists(path_ + "/c12"));
  EXPECT_EQ(last_step()["step"], this->outcome()["step"]);
}

// Before, status 1; a set of many shards needs many files open.
TEST_F(ShellRun, MoreShardsThanFilesMayBeOpen) {
  ASSERT_EQ(edt("data synth --out many --samples 60 --samples-per-shard 1 --image-size 64").status,
            0);
  const auto limited = [&](const std::string& arguments) {
    return shell("cd " + path_ + " && ulimit -n 40 && " + edt_program() + " " + arguments);
  };
  for (const std::string command :
       {"data info many", "data verify many", "data repack many packed", "data adopt many",
        "bench data many", "train --data many --run.dir other --model EDT-Ti/2"}) {
    const auto outcome = limited(command);
    EXPECT_EQ(outcome.status, 2) << command;
    EXPECT_THAT(outcome.errors, HasSubstr("ulimit -n")) << command;
    EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
  }
  EXPECT_FALSE(fs::exists(path_ + "/other"));
  EXPECT_FALSE(fs::exists(path_ + "/packed"));
}

// Before, every record behind a damaged line was dropped.
TEST_F(RunFiles, MetricsDamagedInTheMiddle) {
  std::string text = read_text(run_ + "/metrics.jsonl");
  text[text.find("\"loss\"", text.find('\n')) + 2] = '"';
  write_text(run_ + "/metrics.jsonl", text);
  EXPECT_THAT(goes_on(4), HasSubstr("has 1 line that cannot be read, in its middle: they stay"));
  const std::string now = read_text(run_ + "/metrics.jsonl");
  EXPECT_TRUE(now.starts_with(text));
  EXPECT_THAT(now.substr(text.size()), HasSubstr("{\"step\":4,"));
}

TEST_F(RunFiles, MetricsWithMoreThanThisRunsRecords) {
  const std::string own = read_text(run_ + "/metrics.jsonl");
  const std::string both = own + own;
  write_text(run_ + "/metrics.jsonl", both);
  EXPECT_THAT(goes_on(4), HasSubstr("as it was it is kept in metrics.jsonl.1"));
  EXPECT_EQ(read_text(run_ + "/metrics.jsonl.1"), both);
  EXPECT_EQ(metrics().size(), 4u);
}

TEST_F(RunFiles, MetricsOfAnotherRun) {
  ASSERT_EQ(all_of("train --quiet --config run/config.ini --run.dir other --train.seed 8 --steps 3")
                .status,
            0);
  fs::copy_file(path_ + "/other/metrics.jsonl", run_ + "/metrics.jsonl",
                fs::copy_options::overwrite_existing);
  const auto before = files();
  EXPECT_THAT(refused(go_on(4)), HasSubstr("metrics.jsonl is of another run: its loss of step 3"));
  EXPECT_THAT(changed(before), testing::IsEmpty());
}

// A start that takes a lower number would be fenced off by nothing: what an earlier one has left
// running takes itself for the present one.
TEST_F(RunFiles, GenerationLostEmptyOrDamaged) {
  goes_on(4);
  goes_on(5);
  EXPECT_EQ(read_text(run_ + "/generation"), "3\n");
  int expected = 3;
  for (const char* damage :
       {"rm", ": >", "echo garbage >", "echo 1 >", "echo 18446744073709551615 >"}) {
    ASSERT_EQ(shell(std::string(damage) + " " + run_ + "/generation").status, 0);
    goes_on(5 + (++expected - 3));
    EXPECT_EQ(read_text(run_ + "/generation"), std::to_string(expected) + "\n") << damage;
  }
}

TEST_F(RunFiles, LockLeftByAProcessThatIsGone) {
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  write_text(run_ + "/lock", std::string(host) + " 999999999 other-boot 1 - 0\n");
  EXPECT_THAT(goes_on(4), HasSubstr("took over the stale lock"));
  EXPECT_FALSE(fs::exists(run_ + "/lock"));
}

TEST_F(RunFiles, OutcomeLostOrDamaged) {
  fs::remove(run_ + "/outcome.json");
  goes_on(3);
  write_text(run_ + "/outcome.json", "{\"status\":");
  goes_on(4);
  write_text(run_ + "/outcome.json", "");
  goes_on(5);
}

// Only written, never read: what is lost there changes nothing but itself.
TEST_F(RunFiles, WhatIsOnlyWritten) {
  for (const char* part : {"logs", "tensorboard", "samples"}) fs::remove_all(run_ + "/" + part);
  goes_on(4, "--run.sample-every 4 --run.sample-steps 2 --run.sample-images 1");
  EXPECT_TRUE(fs::exists(run_ + "/logs/rank-00000.log"));
  EXPECT_FALSE(fs::is_empty(run_ + "/tensorboard"));
  EXPECT_TRUE(fs::exists(run_ + "/samples/step-00000004.png"));
  fs::remove_all(run_ + "/tensorboard");
  write_text(run_ + "/tensorboard", "a file");
  EXPECT_THAT(refused(go_on(5)), HasSubstr("tensorboard"));
}

TEST_F(RunFiles, OneFormulaForTheSizeOfACheckpoint) {
  double bytes = 0;
  for (const auto& [name, text] : files()) {
    if (name.starts_with("checkpoints/step-000003/")) bytes += static_cast<double>(text.size());
  }
  const auto outcome = edt("doctor --json run 2>/dev/null");
  const auto room = parse_json(outcome.output, "output")["checkpoints"];
  EXPECT_GE(room["bytes_each"].get<double>(), bytes) << outcome.output;
  EXPECT_LE(room["bytes_each"].get<double>(), 1.5 * bytes);
}

// They were found when they were to be written, with a status that starts the job again.
TEST_F(RunFiles, ADirectoryInThePlaceOfAFile) {
  for (const char* name : {"metrics.jsonl", "lock", "config.ini", "outcome.json", "generation"}) {
    const std::string file = run_ + "/" + name, aside = path_ + "/aside";
    const bool was_there = fs::exists(file);
    if (was_there) fs::rename(file, aside);
    fs::create_directory(file);
    EXPECT_THAT(refused(go_on(5)), HasSubstr(file + " is a directory, a file is needed"));
    fs::remove(file);
    if (was_there) fs::rename(aside, file);
  }
  goes_on(5);
}

// A disk that is full now may have room later: whoever starts runs again goes on, and nobody is
// told that he has used the program in a wrong way. Nothing else than the disk is to blame.
TEST_F(RunFiles, AStartOnAFullDiskIsBrokenOff) {
  const std::string disk = path_ + "/disk";
  fs::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=16m") != 0)
    GTEST_SKIP() << "no right to mount";
  fs::copy(run_, disk + "/run", fs::copy_options::recursive);
  {
    std::ofstream filler(disk + "/filler", std::ios::binary);
    while (filler << std::string(4096, 'x') << std::flush) continue;
  }
  const std::string line = refused("train --run.dir disk/run --steps 4", 5);
  const std::string fresh = refused(start("--run.dir disk/new/run"), 5);
  fs::remove(disk + "/filler");
  const auto outcome = all_of("train --run.dir disk/run --steps 4");
  umount2(disk.c_str(), MNT_DETACH);
  EXPECT_THAT(line, AllOf(HasSubstr("disk/run"), HasSubstr("No space left on device")));
  EXPECT_THAT(fresh, AllOf(HasSubstr("disk/new"), HasSubstr("No space left on device")));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("going on after step 3"));
}

}  // namespace
}  // namespace edt::test
