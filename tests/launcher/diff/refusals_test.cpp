// What cannot be compared, or recorded, is refused with both values.
#include <filesystem>

#include "tests/launcher/diff/recorded_runs.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RefusedRecords : public RecordedRuns {
 protected:
  std::string refused(const std::string& a, const std::string& b) const {
    return refusal("diff " + run_of(a) + " " + run_of(b));
  }
};

TEST_F(RefusedRecords, MissingAndDamaged) {
  train("good", 2);
  EXPECT_THAT(refused("good", "none"), HasSubstr(run_of("none") + ": there is no such directory"));
  std::filesystem::create_directories(run_of("empty"));
  EXPECT_THAT(refused("empty", "good"), HasSubstr(run_of("empty") + ": no records of steps"));
  std::filesystem::copy(run_of("good") + "/record", run_of("part"));
  const std::string file = run_of("part") + "/step-00000002.rank-1.jsonl";
  const std::string whole = read_text(file);
  write_text(file, whole.substr(0, whole.size() / 2));
  EXPECT_THAT(refused("good", "part"), HasSubstr(file));
  std::filesystem::remove(file);
  EXPECT_THAT(refused("good", "part"),
              AllOf(HasSubstr(file), HasSubstr("missing, the step has 2")));
  const std::string first = run_of("part") + "/step-00000002.rank-0.jsonl";
  write_text(file, read_text(first));
  EXPECT_THAT(refused("good", "part"),
              HasSubstr("is of step 2, rank 0 of 2, must be of step 2, rank 1"));
}

TEST_F(RefusedRecords, OfOtherConfigurations) {
  train("good");
  train("rate", "--optimizer.lr 0.5");
  EXPECT_THAT(refused("good", "rate"),
              AllOf(HasSubstr("need not agree: optimizer.lr "), HasSubstr(" -> 0.5")));
  train("cut", "--train.micro-batch 2");
  EXPECT_THAT(refused("good", "cut"),
              HasSubstr("3 x 4 micro-batches of 1 -> 3 x 2 micro-batches of 2"));
  train("other", "--run.record-steps 2");
  train("first", "--run.record-steps 1");
  EXPECT_THAT(refused("other", "first"),
              AllOf(HasSubstr("no step in common"), HasSubstr("has 2..2"), HasSubstr("has 1..1")));
}

TEST_F(RefusedRecords, Options) {
  const std::string train = "train --data " + data_ + " --run.dir " + run_of("run") + kTinyModel;
  EXPECT_THAT(refusal(train + "--run.record-steps 3-4"),
              HasSubstr("run.record-steps is '3-4', must be FIRST..LAST"));
  EXPECT_THAT(refusal(train + "--run.record-values all"),
              HasSubstr("run.record-values is all, and run.record-steps names no steps"));
  EXPECT_THAT(refusal(train + "--run.record-steps 1 --run.profile trace"),
              HasSubstr("run.profile is trace"));
}

}  // namespace
}  // namespace edt::test
