// edt help, and what it writes for shells and man(1), given to them.
#include <gmock/gmock-matchers.h>

#include <sstream>

#include "launcher/commands/table.h"
#include "launcher/help/command_options.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Said {
  int status;
  std::string out, error;
};

Said run(const std::vector<std::string>& args) {
  std::ostringstream out, error;
  const auto alone = make_self_communicator();
  CommandContext context{out, error, *alone};
  const int status = run_program(args, command_table(), context);
  return {status, out.str(), error.str()};
}

bool has_program(const std::string& name) {
  return test::shell("command -v " + name + " >/dev/null").status == 0;
}

TEST(Help, ExplainsCommandsAndGroupsAsTheyDo) {
  EXPECT_EQ(run({"help"}).out, run({"--help"}).out);
  EXPECT_EQ(run({"help", "data"}).out, run({"data", "--help"}).out);
  for (const Command& command : command_table()) {
    std::vector<std::string> asked{"help"}, asking;
    std::istringstream words{std::string(command.name)};
    for (std::string word; words >> word;) {
      asked.push_back(word);
      asking.push_back(word);
    }
    asking.push_back("--help");
    const Said explained = run(asked);
    EXPECT_EQ(explained.status, kDone);
    EXPECT_EQ(explained.out, run(asking).out) << command.name;
    EXPECT_THAT(explained.out, HasSubstr(fmt::format("Usage: edt {} [options]", command.name)));
  }
}

TEST(Help, RefusesWhatThereIsNot) {
  EXPECT_THAT(run({"help", "tran"}).error, HasSubstr("did you mean 'train'?"));
  EXPECT_THAT(run({"help", "train", "data"}).error, HasSubstr("unknown command 'train data'"));
  EXPECT_THAT(run({"help", "--completion=fish"}).error, HasSubstr("one of none, bash, zsh"));
  EXPECT_THAT(run({"help", "--man", "--completion=zsh"}).error, HasSubstr("exclude each other"));
  EXPECT_THAT(run({"help", "train", "--completion=zsh"}).error, HasSubstr("of all commands"));
  EXPECT_EQ(run({"help", "train", "--completion=zsh"}).status, kWrongUsage);
}

class Bash : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_program("bash")) GTEST_SKIP() << "no bash";
    test::write_text(directory_ / "edt.bash", run({"help", "--completion", "bash"}).out);
  }

  // What is offered for the last of `words`, which '=' separates as readline does.
  std::vector<std::string> offered(const std::string& words) const {
    test::write_text(directory_ / "ask.bash",
                     "set -u\nsource " + (directory_ / "edt.bash").string() + "\ncd " +
                         directory_.path().string() + "\nCOMP_WORDS=(" + words +
                         ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_edt\nprintf '%s\\n' "
                         "\"${COMPREPLY[@]}\"\n");
    const auto asked = test::shell("bash " + (directory_ / "ask.bash").string() + " 2>&1");
    EXPECT_EQ(asked.status, 0) << asked.output;
    std::vector<std::string> lines;
    std::istringstream text(asked.output);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  const test::TempDir directory_;
};

TEST_F(Bash, CompletesCommands) {
  EXPECT_THAT(offered("edt tra"), ElementsAre("train"));
  EXPECT_THAT(offered("edt ''"), Contains("data"));
  EXPECT_THAT(offered("edt ''"), Not(Contains("synth")));
  EXPECT_THAT(offered("edt data sy"), ElementsAre("synth"));
  EXPECT_THAT(offered("edt help ckp"), ElementsAre("ckpt"));
}

TEST_F(Bash, CompletesOptionsByBothNames) {
  EXPECT_THAT(offered("edt train --micro"), ElementsAre("--micro-batch"));
  EXPECT_THAT(offered("edt train --train.micro"), ElementsAre("--train.micro-batch"));
  EXPECT_THAT(offered("edt data info --js"), ElementsAre("--json"));
  EXPECT_THAT(offered("edt data info --json --pic"), ElementsAre("--pictures"));
}

// "evaluate" is a command, and a group of another.
TEST_F(Bash, CompletesAGroupThatIsACommand) {
  EXPECT_THAT(offered("edt eval"), ElementsAre("evaluate"));
  EXPECT_THAT(offered("edt evaluate ref"), ElementsAre("reference"));
  EXPECT_THAT(offered("edt evaluate --res"), ElementsAre("--resize"));
  EXPECT_THAT(offered("edt evaluate reference --ou"), ElementsAre("--out"));
}

TEST_F(Bash, CompletesValues) {
  EXPECT_THAT(offered("edt train --run.device c"), ElementsAre("cpu", "cuda"));
  EXPECT_THAT(offered("edt train --device = c"), ElementsAre("cpu", "cuda"));
  EXPECT_THAT(offered("edt train --device ="), ElementsAre("cpu", "cuda", "reference"));
  EXPECT_THAT(offered("edt train --train.masked ="), ElementsAre("on", "off"));
  EXPECT_THAT(offered("edt train --model EDT-X"), ElementsAre("EDT-XL/2"));
  EXPECT_THAT(offered("edt train --steps ''"), ElementsAre("")) << "nothing for a number";
}

TEST_F(Bash, CompletesFiles) {
  test::write_text(directory_ / "set one", "");
  EXPECT_THAT(offered("edt train --data se"), ElementsAre("set one"));
  EXPECT_THAT(offered("edt train --run.dir = se"), ElementsAre("set one"));
  EXPECT_THAT(offered("edt data info se"), ElementsAre("set one"));
  EXPECT_THAT(offered("edt data info --json se"), ElementsAre("set one")) << "behind a flag";
  EXPECT_THAT(offered("edt train se"), ElementsAre("")) << "takes none alone";
}

TEST_F(Bash, KnowsEveryOptionOfEveryCommand) {
  for (const CommandDescription& command : describe(command_table())) {
    std::vector<std::string> expected{"--help"};
    for (const OptionSection& section : command.sections) {
      for (const OptionDescription& option : section.options) {
        for (const std::string& name : option.spellings) expected.push_back("--" + name);
      }
    }
    EXPECT_THAT(offered("edt " + command.command + " --"),
                testing::UnorderedElementsAreArray(expected))
        << command.command;
  }
}

TEST(Zsh, ReadsItsCompletion) {
  if (!has_program("zsh")) GTEST_SKIP() << "no zsh";
  const test::TempDir directory;
  test::write_text(directory / "_edt", run({"help", "--completion", "zsh"}).out);
  const auto read = test::shell("zsh -f -n " + (directory / "_edt").string() + " 2>&1");
  EXPECT_EQ(read.status, 0);
  EXPECT_EQ(read.output, "");
}

TEST(ManPage, IsCleanByItsFormatter) {
  if (!has_program("groff")) GTEST_SKIP() << "no groff";
  const test::TempDir directory;
  ASSERT_EQ(run({"help", "--install-to", directory.path().string()}).status, kDone);
  const std::string pages = (directory / "share/man/man1").string() + "/*.1";
  for (const std::string& lint : std::vector<std::string>{"groff -man -ww -z -Tutf8 " + pages,
                                                          "mandoc -T lint -W error " + pages}) {
    if (!has_program(lint.substr(0, lint.find(' ')))) continue;
    const auto clean = test::shell(lint + " 2>&1");
    EXPECT_EQ(clean.status, 0) << lint;
    EXPECT_EQ(clean.output, "") << lint;
  }
}

TEST(ManPage, SaysWhatHelpSays) {
  const test::TempDir directory;
  ASSERT_EQ(run({"help", "--install-to", directory.path().string()}).status, kDone);
  for (const char* file : {"bash-completion/completions/edt", "zsh/site-functions/_edt",
                           "man/man1/edt.1", "man/man1/edt-data-info.1"}) {
    EXPECT_TRUE(std::filesystem::is_regular_file(directory / "share" / file)) << file;
  }
  const std::string page = test::read_text(directory / "share/man/man1/edt-train.1");
  EXPECT_EQ(page, run({"help", "train", "--man"}).out);
  EXPECT_THAT(page, HasSubstr("\\fB\\-\\-train.micro\\-batch\\fR, \\fB\\-\\-micro\\-batch\\fR"));
  EXPECT_THAT(run({"help", "--man"}).out, HasSubstr(".BR edt\\-data\\-info (1)"));
}

}  // namespace
}  // namespace edt
