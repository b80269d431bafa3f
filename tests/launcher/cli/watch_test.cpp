// `edt watch` as a shell sees it, beside a real run.
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/json/json_text.h"
#include "tests/support/child_process.h"
#include "tests/support/edt_program.h"
#include "tests/support/text_files.h"
#include "tests/support/wait_until.h"

namespace edt::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Watch : public Cli {
 protected:
  Watch() {
    setenv("OMP_NUM_THREADS", "1", 1);  // tests run beside each other
    write_tiny_set(path("data"));
  }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::string train(const std::string& name, int steps) const {
    return "train --quiet --run.checkpoint-every 10 --steps " + std::to_string(steps) + " " +
           tiny_training(path("data"), path(name));
  }
  nlohmann::json seen(const std::string& name) const {
    return parse_json(run("watch --json " + path(name)).output, "output")["runs"][0];
  }
};

TEST_F(Watch, ARunWhileItTrainsAndAfter) {
  ChildProcess training("exec " + edt_program() + " " + train("live", 100000) + " >/dev/null 2>&1");
  nlohmann::json json;
  ASSERT_TRUE(wait_until([&] {
    if (std::filesystem::exists(path("live/generation"))) json = seen("live");
    return !json.is_null() && !json["checkpoints"].empty();
  }));
  EXPECT_EQ(json["state"], "running");
  EXPECT_EQ(json["held_by"]["process"], training.id());
  EXPECT_GT(json["step"], 9);
  EXPECT_EQ(json["total_steps"], 100000);
  EXPECT_GT(json["seconds_left"], 1);
  EXPECT_THAT(run("watch --once " + path("live")).output, HasSubstr(" left, done about "));
  EXPECT_THAT(run("watch " + path("live")).output, HasSubstr("running"))
      << "where there is no terminal, one frame";

  // A page that is renewed, and ends with the run.
  ASSERT_EQ(run("watch --once --html " + path("once.html") + " " + path("live")).status, 0);
  const auto page = [&] { return read_text(path("page.html")); };
  ChildProcess pages("exec " + edt_program() + " watch --every 0.2 --html " + path("page.html") +
                     " " + path("live") + " >/dev/null 2>&1");
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(path("page.html")); }));
  EXPECT_THAT(page(), HasSubstr("http-equiv=\"refresh\""));
  write_text(path("live/stop"), "");
  EXPECT_EQ(training.wait(), 4);
  EXPECT_EQ(pages.wait(), 0);
  EXPECT_THAT(page(), Not(HasSubstr("http-equiv")));
  EXPECT_THAT(page(), HasSubstr("held"));

  json = seen("live");
  EXPECT_EQ(json["state"], "held");
  EXPECT_TRUE(json["checkpoints"][0]["intact"]);
  EXPECT_EQ(json["checkpoints"][0]["step"], json["step"]);
}

TEST_F(Watch, FinishedRunsSideBySide) {
  ASSERT_EQ(run(train("a/run", 3)).status, 0);
  ASSERT_EQ(run(train("b/run", 5)).status, 0);
  const Outcome frame = run("watch " + path("a/run") + " " + path("b/run") + " --once");
  EXPECT_EQ(frame.status, 0);
  EXPECT_THAT(frame.output, HasSubstr("a/run"));
  EXPECT_THAT(frame.output, HasSubstr("b/run"));
  EXPECT_THAT(frame.output, Not(HasSubstr("\x1b")));
  const auto json =
      parse_json(run("watch --json " + path("a/run") + " " + path("b/run")).output, "output");
  EXPECT_EQ(json["runs"][0]["step"], 3);
  EXPECT_EQ(json["runs"][1]["name"], "b/run");
  EXPECT_EQ(json["runs"][1]["state"], "finished");
}

TEST_F(Watch, WrongInputIsRefusedInOneLine) {
  std::filesystem::create_directories(path("empty"));
  write_text(path("some/generation"), "1\n");
  EXPECT_THAT(refusal("watch"), HasSubstr("runs is required"));
  EXPECT_THAT(refusal("watch " + path("none")), HasSubstr("none: no such directory"));
  EXPECT_THAT(refusal("watch " + path("empty")), HasSubstr("holds no run"));
  EXPECT_THAT(refusal("watch " + path("some") + " " + path("empty/../some")),
              HasSubstr("is named twice"));
  EXPECT_THAT(refusal("watch " + path("some") + " --html /proc/none/page.html"),
              HasSubstr("/proc/none"));
  EXPECT_THAT(refusal("watch " + path("some") + " --json --html x.html"),
              HasSubstr("exclude each other"));
  EXPECT_THAT(refusal("watch " + path("some") + " --every 0"), HasSubstr("every"));
}

}  // namespace
}  // namespace edt::test
