// A tiny data set and the commands that train on it, as a shell sees them.
#pragma once

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/launcher/temporary_directory.h"
#include "tests/support/shell.h"

namespace edt::test {

class ShellRun : public testing::Test {
 protected:
  static constexpr const char* kModel =
      " --model EDT-Ti/2 --model.image-size 64 --model.widths 8,12,16,12,8 --model.heads "
      "2,3,4,3,2 ";

  ShellRun() {
    const auto synth =
        edt("data synth --quiet --out " + data_ + " --samples 32 --image-size 64 2>&1");
    EXPECT_EQ(synth.status, 0) << synth.output;
  }

  // The program in the test's directory; its standard output, and what `arguments` redirect there.
  CommandOutcome edt(const std::string& arguments) const {
    return shell("cd " + path_ + " && " + EDT_PROGRAM + " " + arguments);
  }
  // All it says, and its status.
  CommandOutcome all_of(const std::string& arguments) const { return edt(arguments + " 2>&1"); }

  // "train ..." with all that the first start needs.
  std::string start(const std::string& more = "") const {
    return "train --data " + data_ + " --run.dir " + run_ + kModel +
           "--train.batch 4 --train.micro-batch 2 --optimizer.decay-steps 10 " + more;
  }
  // A run of `steps` steps, with a checkpoint after each of them.
  void trained(int steps, const std::string& more = "") const {
    const auto outcome = all_of(
        start("--quiet --run.checkpoint-every 1 --steps " + std::to_string(steps) + " " + more));
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }

  // Refused with status 2 and one line, which is returned.
  std::string refusal(const std::string& arguments, int status = 2) const {
    const auto outcome = edt(arguments + " --quiet 2>&1 >/dev/null");
    EXPECT_EQ(outcome.status, status) << arguments << "\n" << outcome.output;
    const auto begin = outcome.output.find("edt: error: [");
    EXPECT_NE(begin, std::string::npos) << outcome.output;
    if (begin == std::string::npos) return outcome.output;
    const std::string line = outcome.output.substr(begin);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    return line;
  }

  std::vector<nlohmann::json> metrics() const {
    std::vector<nlohmann::json> lines;
    std::istringstream text(read_text(run_ + "/metrics.jsonl"));
    for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  nlohmann::json last_step() const { return metrics().back(); }
  nlohmann::json outcome() const {
    return nlohmann::json::parse(read_text(run_ + "/outcome.json"), nullptr, false);
  }
  // Every file below the run directory, by its name there.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(run_)) {
      const std::string name = std::filesystem::relative(entry.path(), run_).string();
      if (entry.is_regular_file()) all[name] = read_text(entry.path());
    }
    return all;
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.path().string();
  const std::string data_ = path_ + "/data", run_ = path_ + "/run";
};

}  // namespace edt::test
