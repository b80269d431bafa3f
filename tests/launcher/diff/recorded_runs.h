// Tiny training runs that are recorded, and what edt diff says of two of them.
#pragma once

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/text_files.h"

namespace edt::test {

class RecordedRuns : public Cli {
 protected:
  RecordedRuns() { write_tiny_set(data_, 48); }

  std::string run_of(const std::string& name) const { return path_ + "/" + name; }

  // Twelve micro-batches of an image, so that 1, 2, 3, 4 and 6 ranks share them; steps 1 and 2 are
  // recorded where nothing else is said.
  std::string training(const std::string& name, const std::string& options) const {
    std::string text = " train --quiet --data " + data_ + " --run.dir " + run_of(name) +
                       kTinyModel + "--train.batch 12 --optimizer.decay-steps 10 " + options;
    for (const auto& [option, value] : {std::pair{"--train.micro-batch", "1"},
                                        {"--steps", "2"},
                                        {"--run.record-steps", "1..2"}}) {
      if (options.find(option) == options.npos) text += std::string(" ") + option + " " + value;
    }
    return text;
  }
  void train(const std::string& name, const std::string& options = "") const {
    expect_done(shell("OMP_NUM_THREADS=1 " + edt_program() + training(name, options)));
  }
  void train(const std::string& name, int ranks, const std::string& options = "") const {
    expect_done(mpirun("-np " + std::to_string(ranks) + " env OMP_NUM_THREADS=1 " + edt_program() +
                           training(name, options),
                       ""));
  }
  // With a fault (tests/faults/faults.cpp).
  void train_with(const std::string& fault, const std::string& name, int ranks,
                  const std::string& options = "") const {
    expect_done(mpirun("-np " + std::to_string(ranks) + " env OMP_NUM_THREADS=1 'EDT_FAULT=" +
                           fault + "' " + faulty_program() + training(name, options),
                       ""));
  }

  static Outcome diff(const std::string& a, const std::string& b) {
    return run("diff " + a + " " + b);
  }
  std::string difference(const std::string& a, const std::string& b) const {
    const Outcome outcome = diff(run_of(a), run_of(b));
    EXPECT_EQ(outcome.status, outcome.output.starts_with("the same: ") ? 0 : 1) << outcome.output;
    return outcome.output;
  }
  nlohmann::json json(const std::string& a, const std::string& b, int status) const {
    const Outcome outcome = run("diff --json " + run_of(a) + " " + run_of(b), "");
    EXPECT_EQ(outcome.status, status) << outcome.output << outcome.errors;
    return outcome.status == status ? parse_json(outcome.output, "output") : nlohmann::json();
  }

  const std::string data_ = path_ + "/data";

 private:
  static void expect_done(const Outcome& outcome) {
    ASSERT_EQ(outcome.status, 0) << outcome.errors;
  }
};

}  // namespace edt::test
