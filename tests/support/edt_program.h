// The built program as a shell sees it: output, exit status, one line for every error.
#pragma once

#include <gmock/gmock-matchers.h>

#include <map>
#include <string>

#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"

namespace edt::test {

using Outcome = CommandOutcome;

// Its path.
const std::string& edt_program();

// The same program with the faults that EDT_FAULT asks for (tests/faults/faults.cpp).
const std::string& faulty_program();

// `redirection` decides which stream is read: "2>&1 >/dev/null" for errors only.
Outcome run(const std::string& arguments, const std::string& redirection = "2>/dev/null");

// Runs a command that has to be refused: checks status, that there is one line, and that nothing
// went to standard output. The line.
std::string refusal(const std::string& arguments, int status = 2);

// A model of 64-pixel images that trains a step in a few milliseconds.
inline constexpr const char* kTinyModel =
    " --model EDT-Ti/2 --model.image-size 64 --model.widths 8,12,16,12,8 --model.heads 2,3,4,3,2 ";

// The options of a run of it over `data`, in `run_dir`; two micro-batches.
std::string tiny_training(const std::string& data, const std::string& run_dir);

// 32 samples of 64 pixels, or as many as are asked for.
void write_tiny_set(const std::string& directory, int samples = 32);

class Cli : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const;

  const TempDir directory_;
  const std::string path_ = directory_.path().string();
};

// A data set and a run of three steps on it; tests go on from there.
class CliRun : public Cli {
 protected:
  CliRun();
  // Every file of the run, by name.
  std::map<std::string, std::string> files() const;

  const std::string data_ = path_ + "/data", run_ = path_ + "/run";
  const std::string train_ = "train --quiet " + tiny_training(data_, run_);
};

}  // namespace edt::test
