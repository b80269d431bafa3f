// Runs that should agree have the same records, whatever their layout, and nothing is left out
// silently.
#include <filesystem>

#include "tests/launcher/diff/recorded_runs.h"

namespace edt::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class SameRecords : public RecordedRuns {};

TEST_F(SameRecords, OverRanksAndStages) {
  train("one");
  const nlohmann::json alone = json("one", "one", 0);
  EXPECT_GT(alone["calls"], 1000);
  EXPECT_EQ(alone["steps"], (std::vector<int>{1, 2}));
  EXPECT_EQ(alone["left_out"], "");
  for (const auto& [ranks, stage] :
       {std::pair{2, 0}, {2, 1}, {2, 2}, {2, 3}, {3, 1}, {3, 2}, {4, 3}, {6, 2}}) {
    const std::string name = std::to_string(ranks) + "-" + std::to_string(stage);
    train(name, ranks, "--parallel.zero " + std::to_string(stage));
    for (const auto& [a, b] : {std::pair{std::string("one"), name}, {name, "one"}}) {
      const nlohmann::json found = json(a, b, 0);
      EXPECT_EQ(found["gradients"], alone["gradients"]) << name;
      EXPECT_EQ(found["weights"], alone["weights"]) << name;
      EXPECT_THAT(found["left_out"], HasSubstr("collectives, as there are")) << name;
    }
  }
  // Each op is in the record of the rank that has its micro-batch.
  EXPECT_THAT(difference("2-1", "2-3"), HasSubstr("parallel.zero is 1 and 3"));
}

TEST_F(SameRecords, CollectivesHaveCounterpartsWhereRanksShareAlike) {
  for (const int stage : {0, 1, 2, 3}) {
    const std::string name = std::to_string(stage);
    for (const std::string overlap : {"on", "off"}) {
      train(name + overlap, 3, "--parallel.zero " + name + " --parallel.overlap " + overlap);
    }
    EXPECT_THAT(difference(name + "on", name + "off"),
                testing::AllOf(StartsWith("the same: "), Not(HasSubstr("left out"))));
  }
}

TEST_F(SameRecords, OverRecompute) {
  train("none", "--train.recompute none");
  for (const std::string recompute : {"least", "selective", "full"}) {
    train(recompute, "--train.recompute " + recompute);
    EXPECT_THAT(difference("none", recompute), StartsWith("the same: ")) << recompute;
    EXPECT_THAT(difference(recompute, "none"), StartsWith("the same: ")) << recompute;
  }
  EXPECT_THAT(difference("none", "full"), HasSubstr("recomputed calls, as train.recompute is"));
}

TEST_F(SameRecords, OverAnInterruption) {
  train("through", "--run.record-steps 2");
  train("stopped", "--steps 1 --run.record-steps 9");
  EXPECT_FALSE(std::filesystem::exists(run_of("stopped") + "/record/step-00000001.rank-0.jsonl"));
  train("stopped", "--run.record-steps 2");
  EXPECT_THAT(difference("through", "stopped"), StartsWith("the same: step 2, "));
}

TEST_F(SameRecords, TrainTheSameWeights) {
  train("recorded");
  train("plain", "--run.record-steps 9");
  const Outcome compared = run("ckpt compare " + run_of("recorded") + " " + run_of("plain"));
  EXPECT_EQ(compared.status, 0) << compared.output;
}

}  // namespace
}  // namespace edt::test
