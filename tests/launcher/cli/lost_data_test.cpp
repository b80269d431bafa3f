// Shards that are cut short while a run has them mapped, and what commands say of slow ones.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/json/json_text.h"
#include "tests/support/child_process.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/text_files.h"
#include "tests/support/wait_until.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LostData : public Cli {
 protected:
  LostData() { write_tiny_set(data_); }

  // Trains for ever with this in front, cuts the shard after some steps; what it said at its end.
  std::string errors_of_cut_run(const std::string& front) const {
    const std::string errors = path_ + "/errors";
    ChildProcess training(front + edt_program() + " train --quiet --steps 100000000 " +
                          tiny_training(data_, run_) + " </dev/null >/dev/null 2>" + errors);
    EXPECT_TRUE(wait_until([&] {
      const fs::path metrics = run_ + "/metrics.jsonl";
      return training.ended() || (fs::exists(metrics) && fs::file_size(metrics) > 500);
    }));
    EXPECT_FALSE(training.ended()) << read_text(errors);
    fs::resize_file(shard_, 1000);
    EXPECT_EQ(training.wait(), 5) << read_text(errors);
    return read_text(errors);
  }

  const std::string data_ = path_ + "/data", run_ = path_ + "/run",
                    shard_ = data_ + "/shard-00000-of-00001.h5";
};

TEST_F(LostData, ARunEndsWithOneLineAndStatus5) {
  const std::string errors = errors_of_cut_run("exec ");
  EXPECT_THAT(errors, HasSubstr(shard_ + " was cut short while it was in use: it has 1000 bytes"));
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  const auto outcome = parse_json(read_text(run_ + "/outcome.json"), "output");
  EXPECT_EQ(outcome["status"], 5);
}

TEST_F(LostData, AllRanksEndWithStatus5) {
  const std::string errors = errors_of_cut_run("exec " + mpirun_command("-np 2 "));
  EXPECT_THAT(errors, HasSubstr(shard_ + " was cut short while it was in use"));
}

TEST_F(LostData, RepackWritesTheSameSamples) {
  const Outcome outcome = run("data repack " + data_ + " " + path_ + "/out --samples-per-shard 10");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("32 samples"));
  EXPECT_THAT(outcome.output, HasSubstr("4 shards"));
  EXPECT_EQ(run("data verify " + path_ + "/out").status, 0);
  EXPECT_THAT(refusal("data repack " + data_ + " " + data_ + " --replace"),
              HasSubstr("another directory"));
  EXPECT_THAT(refusal("data repack " + path_ + "/none " + path_ + "/out"), HasSubstr("none"));
}

TEST_F(LostData, BenchDataShowsItsProgressInBoundedTime) {
  const Outcome outcome = run("bench data " + data_ + " --seconds 0.01", "");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("random order"));
  EXPECT_THAT(outcome.errors, HasSubstr("30/30 turns"));
}

}  // namespace
}  // namespace edt::test
