// `edt watch` as a shell sees it, beside a real run.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "tests/launcher/temporary_directory.h"
#include "tests/support/shell.h"

namespace {

using testing::HasSubstr;
using testing::Not;

using Outcome = edt::test::CommandOutcome;

Outcome run(const std::string& arguments, const std::string& redirection = "2>/dev/null") {
  return edt::test::shell("timeout 60 " + std::string(EDT_PROGRAM) + " " + arguments + " " +
                          redirection);
}

class Watch : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("OMP_NUM_THREADS", "1", 1);  // tests run beside each other
    directory_ = new edt::TemporaryDirectory;
    ASSERT_EQ(run("data synth --out " + path("data") + " --samples 32 --image-size 64").status, 0);
  }
  static void TearDownTestSuite() {
    delete directory_;
    directory_ = nullptr;
  }
  static std::string path(const std::string& name) { return (*directory_ / name).string(); }
  static std::string train(const std::string& name, int steps) {
    return "train --data " + path("data") + " --run.dir " + path(name) + " --steps " +
           std::to_string(steps) +
           " --model EDT-Ti/2 --model.image-size 64 --model.widths 8,12,16,12,8"
           " --model.heads 2,3,4,3,2 --train.batch 4 --train.micro-batch 2"
           " --optimizer.decay-steps 10 --run.checkpoint-every 10 --quiet";
  }
  static nlohmann::json seen(const std::string& name) {
    return nlohmann::json::parse(run("watch --json " + path(name)).output)["runs"][0];
  }
  // The one line about what was wrong.
  static std::string refusal(const std::string& arguments) {
    const Outcome outcome = run("watch " + arguments, "2>&1 >/dev/null");
    EXPECT_EQ(outcome.status, 2) << arguments;
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
    return outcome.output;
  }

  static edt::TemporaryDirectory* directory_;
};

edt::TemporaryDirectory* Watch::directory_ = nullptr;

TEST_F(Watch, ARunWhileItTrainsAndAfter) {
  const std::string command =
      "exec " + std::string(EDT_PROGRAM) + " " + train("live", 100000) + " >/dev/null 2>&1";
  const pid_t training = fork();
  if (training == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  nlohmann::json json;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (std::filesystem::exists(path("live/generation"))) json = seen("live");
  } while ((json.is_null() || json["checkpoints"].empty()) &&
           std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(json["state"], "running");
  EXPECT_EQ(json["held_by"]["process"], training);
  EXPECT_GT(json["step"], 9);
  EXPECT_EQ(json["total_steps"], 100000);
  EXPECT_GT(json["seconds_left"], 1);
  EXPECT_THAT(run("watch --once " + path("live")).output, HasSubstr(" left, done about "));
  EXPECT_THAT(run("watch " + path("live")).output, HasSubstr("running"))
      << "where there is no terminal, one frame";

  // A page that is renewed, and ends with the run.
  ASSERT_EQ(run("watch --once --html " + path("once.html") + " " + path("live")).status, 0);
  const auto page = [] { return edt::read_text(path("page.html")); };
  std::thread pages([] {
    EXPECT_EQ(run("watch --every 0.2 --html " + path("page.html") + " " + path("live")).status, 0);
  });
  while (!std::filesystem::exists(path("page.html"))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(page(), HasSubstr("http-equiv=\"refresh\""));
  edt::write_text(path("live/stop"), "");
  int status = 0;
  waitpid(training, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 4);
  pages.join();
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
      nlohmann::json::parse(run("watch --json " + path("a/run") + " " + path("b/run")).output);
  EXPECT_EQ(json["runs"][0]["step"], 3);
  EXPECT_EQ(json["runs"][1]["name"], "b/run");
  EXPECT_EQ(json["runs"][1]["state"], "finished");
}

TEST_F(Watch, WrongInputIsRefusedInOneLine) {
  std::filesystem::create_directories(path("empty"));
  edt::write_text(path("some/generation"), "1\n");
  EXPECT_THAT(refusal(""), HasSubstr("runs is required"));
  EXPECT_THAT(refusal(path("none")), HasSubstr("none: no such directory"));
  EXPECT_THAT(refusal(path("empty")), HasSubstr("holds no run"));
  EXPECT_THAT(refusal(path("some") + " " + path("empty/../some")), HasSubstr("is named twice"));
  EXPECT_THAT(refusal(path("some") + " --html /proc/none/page.html"), HasSubstr("/proc/none"));
  EXPECT_THAT(refusal(path("some") + " --json --html x.html"), HasSubstr("exclude each other"));
  EXPECT_THAT(refusal(path("some") + " --every 0"), HasSubstr("every"));
}

}  // namespace
