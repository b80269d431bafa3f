// The built program as a shell sees it: output, exit status, one line for every error.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/launcher/temporary_directory.h"
#include "tests/support/shell.h"

namespace {

using testing::HasSubstr;
using testing::StartsWith;

using edt::test::shell;
using Outcome = edt::test::CommandOutcome;

// `redirection` decides which stream is read: "2>&1 >/dev/null" for errors only.
Outcome run(const std::string& arguments, const std::string& redirection = "2>/dev/null") {
  return shell(std::string(EDT_PROGRAM) + " " + arguments + " " + redirection);
}

// Runs a command that has to be refused; checks status, line count and that nothing went to
// standard output.
std::string refusal(const std::string& arguments, int status = 2) {
  EXPECT_EQ(run(arguments).output, "") << arguments;
  const Outcome outcome = run(arguments, "2>&1 >/dev/null");
  EXPECT_EQ(outcome.status, status) << arguments;
  EXPECT_THAT(outcome.output, StartsWith("edt: error: [")) << arguments;
  EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
  return outcome.output;
}

class Cli : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    edt::write_text(directory_ / name, text);
    return (directory_ / name).string();
  }

  const edt::TemporaryDirectory directory_;
  const std::string path_ = directory_.path().string();
};

TEST_F(Cli, HelpListsTheCommands) {
  const Outcome help = run("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("edt doctor"));
  EXPECT_EQ(run("-h").output, help.output);
}

TEST_F(Cli, VersionNamesLibrariesAndCommit) {
  const Outcome version = run("--version");
  EXPECT_EQ(version.status, 0);
  for (const char* name : {"commit", "compiler", "oneDNN", "HDF5", "Boost"}) {
    EXPECT_THAT(version.output, HasSubstr(name));
  }
}

TEST_F(Cli, RefusesUnknownCommands) {
  EXPECT_THAT(refusal(""), HasSubstr("no command given"));
  EXPECT_THAT(refusal("docter"), HasSubstr("did you mean 'doctor'?"));
  EXPECT_THAT(refusal("xyzzyxyzzy"), testing::Not(HasSubstr("did you mean")));
}

TEST_F(Cli, CommandHelpHasUnitsAndDefaults) {
  const Outcome help = run("doctor --help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("(default .)"));
  EXPECT_EQ(run("doctor -h").output, help.output);
}

TEST_F(Cli, RefusesWrongOptions) {
  EXPECT_THAT(refusal("doctor --jsn"), HasSubstr("unknown option '--jsn'; did you mean '--json'?"));
  EXPECT_THAT(refusal("doctor --json=maybe"), HasSubstr("json = 'maybe' (command line)"));
  EXPECT_THAT(refusal("doctor --directory"), HasSubstr("--directory"));
  EXPECT_THAT(refusal("doctor . another"), HasSubstr("unexpected argument 'another'"));
  EXPECT_THAT(refusal("doctor -x"), HasSubstr("unknown option '-x'"));
}

TEST_F(Cli, RefusesWrongConfigurationFiles) {
  EXPECT_THAT(refusal("doctor --config " + (directory_ / "none.ini").string()),
              HasSubstr("none.ini: no such file"));
  EXPECT_THAT(refusal("doctor --config " + path_), HasSubstr("not a file"));
  const std::string misspelt = write("a.ini", "# fine\njson = on\ndirectry = /tmp\n");
  EXPECT_THAT(refusal("doctor --config " + misspelt),
              HasSubstr("a.ini:3: unknown key 'directry'; did you mean 'directory'?"));
  const std::string twice = write("b.ini", "json = on\njson = off\n");
  EXPECT_THAT(refusal("doctor --config " + twice),
              HasSubstr("b.ini:2: 'json' was already set in line 1"));
}

TEST_F(Cli, DoctorWritesJson) {
  const Outcome outcome = run("doctor --json " + path_);
  EXPECT_EQ(outcome.status, 0);
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(json["directory"]["path"], path_);
  EXPECT_TRUE(json["directory"]["writable"]);
  EXPECT_GT(json["machine"]["memory_total_bytes"], 0);
  EXPECT_GE(json["machine"]["cores_usable"], 1);
  EXPECT_FALSE(json["versions"]["oneDNN"].get<std::string>().empty());
  EXPECT_TRUE(std::filesystem::is_empty(path_)) << "probe files were left behind";
}

TEST_F(Cli, DoctorFailsWhereNothingCanBeWritten) {
  const Outcome outcome = run("doctor --json /proc/self");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_FALSE(nlohmann::json::parse(outcome.output)["directory"]["writable"]);
}

TEST_F(Cli, DoctorKnowsTheLimitsOfTheShell) {
  const Outcome outcome = shell("sh -c 'ulimit -n 64; exec " + std::string(EDT_PROGRAM) +
                                " doctor --json " + path_ + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(nlohmann::json::parse(outcome.output)["machine"]["open_files"], 64);
}

TEST_F(Cli, ConfigurationFileAndCommandLineMeet) {
  const std::string file = write("a.ini", "json = on\ndirectory = /proc/self\n");
  const Outcome from_file = run("doctor --config " + file);
  EXPECT_EQ(from_file.status, 1);
  const Outcome overruled = run("doctor --config " + file + " " + path_);
  EXPECT_EQ(overruled.status, 0);
  EXPECT_EQ(nlohmann::json::parse(overruled.output)["directory"]["path"], path_);
}

constexpr const char* kTinyModel =
    " --model EDT-Ti/2 --model.image-size 64 --model.widths 8,12,16,12,8 --model.heads 2,3,4,3,2 ";

// A data set and a run of three steps on it; later tests go on from there.
class CliRun : public Cli {
 protected:
  CliRun() {
    EXPECT_EQ(run("data synth --out " + data_ + " --samples 32 --image-size 64").status, 0);
    EXPECT_EQ(run(train_ + "--steps 3").status, 0);
  }
  // Every file of the run, by name.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(run_)) {
      if (entry.is_regular_file()) all[entry.path().string()] = edt::read_text(entry.path());
    }
    return all;
  }

  const std::string data_ = path_ + "/data", run_ = path_ + "/run";
  const std::string train_ = "train --quiet --data " + data_ + " --run.dir " + run_ + kTinyModel +
                             "--train.batch 4 --train.micro-batch 2 --optimizer.decay-steps 10 ";
};

TEST_F(CliRun, AStartThatDoesNothingChangesNothing) {
  const std::string again = "train --config=" + run_ + "/config.ini --log-level info";
  const auto before = files();
  const Outcome fewer = run(again + " --train.steps=1", "2>&1 >/dev/null");
  EXPECT_EQ(fewer.status, 0);
  EXPECT_THAT(fewer.output, HasSubstr("has reached step 3, train.steps is 1: nothing to do"));
  EXPECT_EQ(run(again).status, 0);
  EXPECT_THAT(refusal(again + " --train.seed=7 --train.steps=1"), HasSubstr("train.seed"));
  auto after = files();
  for (auto* seen : {&after}) {  // the refused start has held the lock
    seen->at(run_ + "/generation") = before.at(run_ + "/generation");
    seen->at(run_ + "/logs/rank-00000.log") = before.at(run_ + "/logs/rank-00000.log");
  }
  EXPECT_EQ(after, before);
  const auto seen = nlohmann::json::parse(run("watch --json " + run_).output)["runs"][0];
  EXPECT_EQ(seen["state"], "finished");
  EXPECT_EQ(seen["total_steps"], 3);
  EXPECT_EQ(run(again + " --train.steps=4").status, 0);
  EXPECT_EQ(nlohmann::json::parse(run("watch --json " + run_).output)["runs"][0]["step"], 4);
}

TEST_F(CliRun, ItsConfigurationIsABeginning) {
  const std::string start = "train --config=" + run_ + "/config.ini --run.dir=" + path_ +
                            "/other --log-level info --steps 1 ";
  const Outcome other =
      run(start + "--parallel.zero=3 --optimizer.schedule=constant", "2>&1 >/dev/null");
  EXPECT_EQ(other.status, 0) << other.output;
  EXPECT_THAT(other.output, HasSubstr("config.ini:"));
  EXPECT_THAT(other.output, HasSubstr("is left out: it is used only when parallel.zero is 0 or 1, "
                                      "and it is 3 (command line)"));
  EXPECT_THAT(refusal(start + "--parallel.zero=3 --parallel.bucket=4"), HasSubstr("command line"));
}

TEST_F(CliRun, InterruptedWorkLeavesNothingHalfWritten) {
  for (const char* out : {"--latents x.h5", "--npz x.npz", "--out x.png"}) {
    const std::string target = path_ + "/out";
    std::filesystem::create_directories(target);
    const std::string command = "cd " + target + " && exec " + EDT_PROGRAM + " sample --quiet " +
                                "--checkpoint " + run_ + " --images 4096 --batch 16 --steps 4 " +
                                out + " >/dev/null 2>&1";
    const pid_t sampling = fork();
    if (sampling == 0) {
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    const bool writes_at_once = !std::string(out).starts_with("--out ");
    while (writes_at_once && std::filesystem::is_empty(target)) usleep(10000);
    if (!writes_at_once) usleep(500000);
    kill(sampling, SIGINT);
    int status = 0;
    waitpid(sampling, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << out << " " << status;
    EXPECT_TRUE(std::filesystem::is_empty(target)) << out;
  }
}

// From nothing to a picture, and what is refused on the way.
TEST_F(Cli, DataTrainingAndSampling) {
  const std::string data = (directory_ / "data").string(), run_dir = (directory_ / "run").string();
  const std::string model =
      " --model EDT-Ti/2 --model.image-size 64 --model.widths 8,12,16,12,8 --model.heads 2,3,4,3,2";
  const std::string common = " --data " + data + " --run.dir " + run_dir +
                             " --train.batch 4 --train.micro-batch 2 --optimizer.decay-steps 10";
  ASSERT_EQ(run("data synth --out " + data + " --samples 32 --image-size 64").status, 0);
  EXPECT_EQ(run("data verify " + data).status, 0);

  EXPECT_THAT(refusal("train --steps 2" + model + " --data " + data + "x --run.dir " + run_dir),
              HasSubstr(data + "x"));
  EXPECT_THAT(refusal("train --train.step 2" + model + common),
              HasSubstr("did you mean '--train.steps'?"));
  EXPECT_THAT(refusal("train --steps 2 --model.depths 1,1,1,1" + common),
              HasSubstr("odd number is needed"));
  EXPECT_THAT(refusal("train --steps 2 --model EDT-Ti/2 --model.image-size 128" + common),
              HasSubstr("16"));
  EXPECT_THAT(refusal("train --steps 2 --train.batch 6 --train.micro-batch 2 --data " + data +
                      " --run.dir " + run_dir),
              HasSubstr("3 micro-batches, a power of two is needed"));
  EXPECT_THAT(refusal("train --steps 2" + model + " --data " + data + " --run.dir /proc/none"),
              HasSubstr("/proc/none"));

  ASSERT_EQ(run("train --steps 2" + model + common).status, 0);
  const std::string picture = (directory_ / "x.png").string();
  EXPECT_THAT(refusal("sample --checkpoint " + data + " --classes 1 --out " + picture),
              HasSubstr("checkpoint"));
  EXPECT_THAT(refusal("sample --checkpoint " + run_dir + " --classes 12 --out " + picture),
              HasSubstr("names 12, the model has classes 0 to 11"));
  ASSERT_EQ(
      run("sample --checkpoint " + run_dir + " --classes 1 --steps 2 --out " + picture).status, 0);
  EXPECT_TRUE(std::filesystem::exists(picture));
}

TEST_F(Cli, PlansAModelThatNoMachineHereCouldHold) {
  const Outcome plan = run(
      "plan --model EDT-XL/2 --run.dtype bf16 --cluster 8xh100 --ranks 16 --train.batch=64 "
      "--train.micro-batch=4 --parallel.zero=3 --parallel.tensor=1 --train.recompute=none --json");
  ASSERT_EQ(plan.status, 0) << plan.output;
  const auto json = nlohmann::json::parse(plan.output);
  ASSERT_EQ(json["fitting"].size(), 1u);
  const auto& best = json["fitting"][0];
  EXPECT_EQ(best["data_ranks"], 16);
  EXPECT_GT(best["memory_bytes"], 1e9);
  EXPECT_GT(best["gradient_wire_bytes"], 2.5e9) << "4 bytes x 698 M x 15 / 16";
  EXPECT_LT(best["gradient_wire_bytes"], 2.8e9);
}

TEST_F(Cli, APlanFindsMicroBatchesOfAnyBatch) {
  const std::string file = write("c.ini", "[train]\nmicro-batch = 5\n");
  for (const std::string& from : {std::string(), " --config " + file}) {
    const Outcome plan =
        run("plan --model EDT-Ti/2 --cluster 2xzen3 --train.batch=12 --train.recompute=none "
            "--parallel.tensor=1 --json" +
            from);
    ASSERT_EQ(plan.status, 0) << plan.output;
    for (const auto& choice : nlohmann::json::parse(plan.output)["fitting"]) {
      EXPECT_THAT(choice["micro_batch"].get<int>(), testing::AnyOf(3, 6));
    }
  }
  EXPECT_THAT(refusal("plan --train.batch=12 --train.micro-batch=5"), HasSubstr("5"));
  EXPECT_THAT(refusal("plan --train.batch=12 --search=off"), HasSubstr("32"));
}

// "none" is a default only where it is one of the choices.
TEST_F(Cli, HelpSaysWhatADefaultStandsFor) {
  const std::string commands = run("--help").output;
  std::istringstream lines(commands.substr(commands.find("Commands:")));
  int seen = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  edt ")) continue;
    ++seen;
    const Outcome help = run(line.substr(6, 14) + " --help");
    EXPECT_EQ(help.status, 0) << line;
    std::string::size_type begin = 0, end = 0;
    for (; begin != std::string::npos; begin = end) {
      end = help.output.find("\n  --", begin + 1);
      const std::string option = help.output.substr(begin, end - begin);
      if (option.find("default none") == std::string::npos) continue;
      EXPECT_THAT(option, HasSubstr("none|")) << line;
    }
  }
  EXPECT_GT(seen, 20);
  EXPECT_THAT(run("train --help").output, HasSubstr("default that of the preset"));
}

TEST_F(Cli, BadPlacesAreRefusedBeforeTheWork) {
  const std::string file = write("file", "");
  const std::string synth = "data synth --samples 4 --image-size 32 --out ";
  EXPECT_THAT(refusal(synth + file), HasSubstr("--out " + file));
  EXPECT_THAT(refusal(synth + file + "/below"), HasSubstr("is not a directory"));
  EXPECT_THAT(refusal(synth + "/proc/set"), HasSubstr("/proc takes no files"));
  EXPECT_THAT(refusal(synth + "''"), HasSubstr("a text that is not empty"));
  EXPECT_THAT(refusal("bench scale " + file), HasSubstr("is not a directory"));
  EXPECT_THAT(refusal("bench scale --run=off " + path_ + "/no"), HasSubstr("there is no study"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/no"));
  EXPECT_THAT(refusal("plan --html /proc/plan.html"), HasSubstr("/proc takes no files"));
}

TEST_F(CliRun, OptionsThatDoNotGoTogetherAreRefused) {
  const std::string sample = "sample --classes 1 --steps 2 --checkpoint " + run_ + " ";
  EXPECT_THAT(refusal(sample + "--out " + path_ + "/x --npz " + path_ + "/./x"),
              HasSubstr("--out and --npz both name"));
  EXPECT_THAT(refusal(sample + "--out " + path_ + "/x.png --quiet --cfg-scale 1e308", 1),
              HasSubstr("latents of picture 0 (class 1) are not finite"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/x.png"));
  EXPECT_THAT(refusal("bench step --model EDT-Ti/2 --parallel.tensor=2"),
              HasSubstr("cannot be cut over 2 tensor ranks"));
  EXPECT_THAT(refusal("bench speedup --from-shards " + data_ + " --sizes S"),
              HasSubstr("the model takes 4 x 32 x 32"));
  const std::string config = run_ + "/config.ini";
  EXPECT_THAT(refusal("plan --calibrate " + config), HasSubstr("unknown key"));
  EXPECT_THAT(refusal(train_ + "--steps 1 --run.dir " + config),
              testing::AllOf(HasSubstr("[run] "), HasSubstr("config.ini")));
}

TEST_F(Cli, ImportSaysWhatIsOfNoUse) {
  const std::string weights = write("w.safetensors", ""), folder = path_ + "/f";
  std::filesystem::create_directories(folder);
  const std::string to = " --out " + path_ + "/set --latents ";
  EXPECT_THAT(refusal("data import" + to + path_ + "/none"), HasSubstr("none: there is no such"));
  EXPECT_THAT(refusal("data import" + to + folder), HasSubstr("the labels' folder is needed"));
  EXPECT_THAT(refusal("data import" + to + weights + " --labels " + folder),
              HasSubstr("--labels is of no use"));
  EXPECT_THAT(refusal("data import" + to + folder + " --labels " + folder + " --latents-key x"),
              HasSubstr("--latents-key is a name within"));
  EXPECT_THAT(refusal("data import --out " + path_ + "/set --latents ''"),
              HasSubstr("a text that is not empty"));
}

TEST_F(Cli, DoctorSaysWhichDirectoryItExamines) {
  const Outcome outcome = run("doctor " + path_ + "/no/such");
  EXPECT_THAT(outcome.output,
              HasSubstr(path_ + "/no/such does not exist: " + path_ + " was examined"));
  EXPECT_EQ(nlohmann::json::parse(
                run("doctor --json " + path_ + "/no/such").output)["directory"]["asked"],
            path_ + "/no/such");
  EXPECT_THAT(refusal("doctor ''"), HasSubstr("has no name"));
}

TEST_F(Cli, RefusesWrongPlans) {
  const std::string cluster = write("c.ini", "[cluster]\nname = x\nnodes = 1\ndevices = none\n");
  EXPECT_THAT(refusal("plan --cluster " + cluster), HasSubstr("c.ini:4)"));
  EXPECT_THAT(refusal("plan --cluster 8xh10"), HasSubstr("8xh100"));
  EXPECT_THAT(refusal("plan --ranks 5000 --cluster 8xh100"), HasSubstr("4096"));
  EXPECT_THAT(refusal("plan --scale 4..1"), HasSubstr("4..1"));
}

TEST_F(Cli, ATrainingThatDoesNotFitIsRefusedBeforeItRuns) {
  const std::string data = path_ + "/data";
  ASSERT_EQ(run("data synth --out " + data + " --samples 64 --image-size 128 --quiet").status, 0);
  const std::string arguments = "train --data " + data + " --run.dir " + path_ +
                                "/run --model EDT-XL/2 --model.image-size=128 "
                                "--train.batch=512 --train.micro-batch=512 --quiet";
  const std::string message = refusal(arguments);
  EXPECT_THAT(message, HasSubstr("[memory] EDT-XL/2"));
  EXPECT_THAT(message, HasSubstr(" needs "));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/run"));
}

TEST_F(Cli, UnwritableOutputIsAFailure) {
  const Outcome outcome = run("--version", "2>&1 >/dev/full");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("standard output cannot be written"));
}

}  // namespace
