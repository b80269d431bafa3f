// The built program as a shell sees it: commands, options, files of options.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/json/json_text.h"
#include "tests/support/edt_program.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

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

// "none" is a default only where it is one of the choices.
TEST_F(Cli, HelpSaysWhatADefaultStandsFor) {
  const std::string commands = run("--help").output;
  std::istringstream lines(commands.substr(commands.find("Commands:")));
  int seen = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  edt ")) continue;
    ++seen;
    const Outcome help = run(line.substr(6, 15) + " --help");
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

TEST_F(Cli, ConfigurationFileAndCommandLineMeet) {
  const std::string file = write("a.ini", "json = on\ndirectory = /proc/self\n");
  const Outcome from_file = run("doctor --config " + file);
  EXPECT_EQ(from_file.status, 1);
  const Outcome overruled = run("doctor --config " + file + " " + path_);
  EXPECT_EQ(overruled.status, 0);
  EXPECT_EQ(parse_json(overruled.output, "output")["directory"]["path"], path_);
}

TEST_F(Cli, BadPlacesAreRefusedBeforeTheWork) {
  const std::string file = write("file", "");
  const std::string synth = "data synth --samples 4 --image-size 32 --out ";
  EXPECT_THAT(refusal(synth + file), HasSubstr("--out " + file));
  EXPECT_THAT(refusal(synth + file + "/below"), HasSubstr("is not a directory"));
  EXPECT_THAT(refusal(synth + "/proc/set"), HasSubstr("/proc takes no files"));
  EXPECT_THAT(refusal(synth + "''"), HasSubstr("a text that is not empty"));
  EXPECT_THAT(refusal("bench scale --out " + file), HasSubstr("is not a directory"));
  EXPECT_THAT(refusal("bench scale study"), HasSubstr("--out is required: directory of the study"));
  EXPECT_THAT(refusal("bench scale --run=off --out " + path_ + "/no"),
              HasSubstr("there is no study"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/no"));
  EXPECT_THAT(refusal("plan --html /proc/plan.html"), HasSubstr("/proc takes no files"));
}

TEST_F(Cli, UnwritableOutputIsAFailure) {
  const Outcome outcome = run("--version", "2>&1 >/dev/full");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.output,
              HasSubstr("standard output cannot be written: No space left on device"));
}

// Of whatever EDT, and of nothing else.
TEST_F(Cli, OpsAreTimedOnTheShapesOfAModel) {
  const std::string bench = "bench ops --seconds 0 --batch 1 ";
  const Outcome small = run(bench + "--filter 'gate_residual'", "2>&1");
  EXPECT_THAT(small.output, HasSubstr("[1, 256, 312]"));
  const Outcome large = run(bench + "--model EDT-XL/2 --filter gate_residual", "2>&1");
  EXPECT_EQ(large.status, 0) << large.output;
  EXPECT_THAT(large.output, HasSubstr("[1, 256, 936]"));
  EXPECT_THAT(large.output, HasSubstr("[1, 16, 1560]"));
  EXPECT_THAT(refusal(bench + "--model DiT-S/2"), HasSubstr("DiT-S/2"));
}

// docs/compatibility.md: the old name works, and says the new one.
TEST_F(Cli, FormerNamesOfOptionsWork) {
  const std::string bench = "bench ops --filter gelu --seconds 0.01 ";
  const Outcome outcome = run(bench + "--backend cpu", "2>&1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("backend (command line) is now called device"));
  EXPECT_THAT(refusal(bench + "--backend abacus"), HasSubstr("device = 'abacus'"));
  EXPECT_THAT(refusal("bench step --backend cpu"), HasSubstr("unknown option '--backend'"));
}

}  // namespace
}  // namespace edt::test
