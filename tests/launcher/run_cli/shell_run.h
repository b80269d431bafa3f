// A tiny data set and the commands that train on it, as a shell sees them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/json/json_text.h"
#include "tests/support/edt_program.h"
#include "tests/support/run_metrics.h"
#include "tests/support/text_files.h"

namespace edt::test {

class ShellRun : public Cli {
 protected:
  ShellRun() { write_tiny_set(data_); }

  // The program in the test's directory.
  CommandOutcome edt(const std::string& arguments) const {
    return shell("cd " + path_ + " && " + edt_program() + " " + arguments);
  }
  // Both streams as one.
  CommandOutcome all_of(const std::string& arguments) const { return edt(arguments + " 2>&1"); }

  // "train ..." with all that the first start needs.
  std::string start(const std::string& more = "") const {
    return "train " + tiny_training(data_, run_) + more;
  }
  // A run of `steps` steps, with a checkpoint after each of them.
  void trained(int steps, const std::string& more = "") const {
    const auto outcome = all_of(
        start("--quiet --run.checkpoint-every 1 --steps " + std::to_string(steps) + " " + more));
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }

  // Refused with that status and, behind warnings, one line, which is returned.
  std::string refused(const std::string& arguments, int status = 2) const {
    const auto outcome = edt(arguments + " --quiet >/dev/null");
    EXPECT_EQ(outcome.status, status) << arguments << "\n" << outcome.errors;
    const auto begin = outcome.errors.find("edt: error: [");
    EXPECT_NE(begin, std::string::npos) << outcome.errors;
    if (begin == std::string::npos) return outcome.errors;
    const std::string line = outcome.errors.substr(begin);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    return line;
  }

  std::vector<nlohmann::json> metrics() const { return metrics_of(run_); }
  nlohmann::json last_step() const { return metrics().back(); }
  // An empty object where there is none.
  nlohmann::json outcome() const {
    const auto json = try_parse_json(read_text(run_ + "/outcome.json"));
    return json.is_object() ? json : nlohmann::json::object();
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

  const std::string data_ = path_ + "/data", run_ = path_ + "/run";
};

}  // namespace edt::test
