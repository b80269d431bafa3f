// Where values come from, what belongs to them, and how they differ from earlier ones.
#include <gmock/gmock-matchers.h>

#include "core/options/options.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Stored {
  std::filesystem::path home, output, input;
  std::int64_t rate = 1, lines = 10, course = 5;
  std::string kind = "plain";
  bool now = false;
  OptionSet options{"keep", ""};

  Stored() {
    options.add("home", &home, "directory").absolute().free_to_change();
    options.add("output", &output, "file").absolute().belongs_to("home").free_to_change();
    options.add("input", &input, "file").absolute();
    options.add("rate", &rate, "changes the curve");
    options.add("lines", &lines, "does not").free_to_change();
    options.add("kind", &kind, "way").choices({"plain", "curved"});
    options.add("course", &course, "of the curved way").used_when("kind", {"curved"});
    options.add("now", &now, "not kept").command_line_only();
  }
  void parse(std::vector<std::string> args) { ASSERT_TRUE(options.parse(args)); }
};

std::vector<std::string> texts(const std::vector<OptionChange>& changes) {
  std::vector<std::string> all;
  for (const OptionChange& one : changes) {
    all.push_back(fmt::format("{} {} {}{}", one.name, one.before, one.after,
                              one.changes_curve ? " curve" : ""));
  }
  return all;
}

TEST(OptionSources, RelativePathsAreKeptInFull) {
  const auto here = std::filesystem::current_path();
  Stored stored;
  stored.parse({"--home=a/./b/", "--input=../x", "--output=/y/z"});
  EXPECT_EQ(stored.home, here / "a/b");
  EXPECT_EQ(stored.input, here.parent_path() / "x");
  EXPECT_EQ(stored.output, "/y/z");
  EXPECT_THAT(stored.options.to_ini(), HasSubstr("home = " + (here / "a/b").string()));
}

TEST(OptionSources, WhatBelongsToAnotherValueIsLeftOut) {
  const test::TempDir directory;
  test::write_text(directory / "first.ini", "home = /one\noutput = /one.txt\n");
  const std::string config = "--config=" + (directory / "first.ini").string();
  Stored same, other, own;
  same.parse({config, "--home=/one", "--rate=2"});
  EXPECT_EQ(same.output, "/one.txt");
  other.parse({config, "--home=/two"});
  EXPECT_EQ(other.output, "");
  EXPECT_THAT(other.options.left_out(),
              ElementsAre(HasSubstr("it belongs to home /one, and it is /two (command line)")));
  own.parse({config, "--home=/two", "--output=/two.txt"});
  EXPECT_EQ(own.output, "/two.txt");
}

TEST(OptionSources, TheFirstSourceBelongsToAValue) {
  const test::TempDir directory;
  test::write_text(directory / "a.ini", "home = /from-file\nrate = 5\n");
  std::string asked;
  bool lines_are_given = false;
  const auto parsed = [&](std::vector<std::string> args) {
    Stored stored;
    stored.options.begin_with("home",
                              [&](const std::filesystem::path& value, const auto& is_given) {
                                asked = value;
                                lines_are_given = is_given("lines");
                                return std::optional(parse_ini("rate = 7\nlines = 3\n", "first"));
                              });
    stored.parse(std::move(args));
    return std::pair(stored.rate, stored.lines);
  };
  const std::string config = "--config=" + (directory / "a.ini").string();
  EXPECT_EQ(parsed({"--home=/x"}), std::pair(std::int64_t{7}, std::int64_t{3}));
  EXPECT_EQ(asked, "/x");
  EXPECT_EQ(parsed({config}), std::pair(std::int64_t{5}, std::int64_t{3}));
  EXPECT_EQ(asked, "/from-file");
  EXPECT_FALSE(lines_are_given);
  EXPECT_EQ(parsed({config, "--home", "/y", "--lines=4"}),
            std::pair(std::int64_t{5}, std::int64_t{4}));
  EXPECT_EQ(asked, "/y");
  EXPECT_TRUE(lines_are_given);
  test::write_text(directory / "a.ini", "home = /from-file\nlines = 5\n");
  parsed({config});
  EXPECT_TRUE(lines_are_given) << "by a file";
  EXPECT_EQ(parsed({"--rate=2"}), std::pair(std::int64_t{2}, std::int64_t{10}));
}

TEST(OptionSources, TheFirstSourceBelongsToAValueThatStandsAlone) {
  std::string asked;
  const auto asks = [&](const std::vector<std::string>& args) {
    std::filesystem::path from, to;
    std::int64_t rate = 1;
    bool now = false, to_is_given = false;
    OptionSet options("copy", "");
    options.add("from", &from, "directory").positional().command_line_only();
    options.add("to", &to, "directory").positional().command_line_only();
    options.add("rate", &rate, "of copying");
    options.add("now", &now, "not kept").command_line_only();
    options.begin_with("from", [&](const std::filesystem::path& value, const auto& is_given) {
      asked = value;
      to_is_given = is_given("to");
      return std::optional(parse_ini("rate = 7\n", "first"));
    });
    EXPECT_TRUE(options.parse(args));
    EXPECT_EQ(from, asked);
    return std::pair(rate, to_is_given);
  };
  EXPECT_EQ(asks({"/x", "/y"}), std::pair(std::int64_t{7}, true));
  EXPECT_EQ(asked, "/x");
  EXPECT_EQ(asks({"--now", "/x"}), std::pair(std::int64_t{7}, false));
  EXPECT_EQ(asks({"--to=/x", "/z", "--rate=2"}), std::pair(std::int64_t{2}, true));
  EXPECT_EQ(asked, "/z");
  EXPECT_EQ(asks({"/x", "--from=/w"}), std::pair(std::int64_t{7}, true));
  EXPECT_EQ(asked, "/w");
  asked.clear();
  EXPECT_EQ(asks({}), std::pair(std::int64_t{1}, false));
}

TEST(OptionSources, ArgumentsForAnotherCommandAreOnesItTakes) {
  Stored stored, other;
  stored.options.read(parse_ini("output =\nlines = 10\nkind = curved\n", "first"));
  const std::vector<std::string> arguments = stored.options.given_arguments("");
  EXPECT_THAT(arguments, ElementsAre("--lines=10", "--kind=curved"));
  other.parse(arguments);
  EXPECT_EQ(other.kind, "curved");
}

TEST(OptionSources, ChangesAreThoseOfOptionsThatHaveAnEffect) {
  Stored stored;
  stored.parse({"--rate=2", "--lines=20", "--kind=curved", "--now"});
  const auto since = [&](const std::string& ini) {
    return texts(stored.options.changes_since(parse_ini(ini, "earlier")));
  };
  EXPECT_THAT(since("rate = 1\nlines = 10\nkind = plain\n"),
              ElementsAre("rate 1 2 curve", "lines 10 20", "kind plain curved curve"));
  EXPECT_THAT(since(stored.options.to_ini()), ElementsAre());
  EXPECT_THAT(since("rate = 2\nlines = 20\nkind = curved\ncourse = 6\nlater = 1\n"),
              ElementsAre("course 6 5 curve"));
  EXPECT_THAT(since(""), ElementsAre("rate 1 2 curve", "lines 10 20", "kind plain curved curve"));
}

}  // namespace
}  // namespace edt
