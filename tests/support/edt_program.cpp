#include "tests/support/edt_program.h"

#include <algorithm>
#include <filesystem>

#include "tests/support/places.h"
#include "tests/support/text_files.h"

namespace edt::test {

using testing::StartsWith;

const std::string& edt_program() {
  static const std::string path = in_build("edt").string();
  return path;
}

const std::string& faulty_program() {
  static const std::string path = in_build("tests/faults/edt").string();
  return path;
}

Outcome run(const std::string& arguments, const std::string& redirection) {
  return shell(edt_program() + " " + arguments + " " + redirection);
}

std::string refusal(const std::string& arguments, int status) {
  const Outcome outcome = run(arguments, "");
  EXPECT_EQ(outcome.output, "") << arguments;
  EXPECT_EQ(outcome.status, status) << arguments;
  EXPECT_THAT(outcome.errors, StartsWith("edt: error: [")) << arguments;
  EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
  return outcome.errors;
}

std::string tiny_training(const std::string& data, const std::string& run_dir) {
  return "--data " + data + " --run.dir " + run_dir + kTinyModel +
         "--train.batch 4 --train.micro-batch 2 --optimizer.decay-steps 10 ";
}

void write_tiny_set(const std::string& directory, int samples) {
  const Outcome made = run("data synth --quiet --image-size 64 --samples " +
                               std::to_string(samples) + " --out " + directory,
                           "");
  EXPECT_EQ(made.status, 0) << made.errors;
}

std::string Cli::write(const std::string& name, const std::string& text) const {
  write_text(directory_ / name, text);
  return (directory_ / name).string();
}

CliRun::CliRun() {
  write_tiny_set(data_);
  const Outcome trained = run(train_ + "--steps 3", "");
  EXPECT_EQ(trained.status, 0) << trained.errors;
}

std::map<std::string, std::string> CliRun::files() const {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run_)) {
    if (entry.is_regular_file()) all[entry.path().string()] = read_text(entry.path());
  }
  return all;
}

}  // namespace edt::test
