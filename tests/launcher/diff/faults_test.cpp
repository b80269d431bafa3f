// Faults that are put into one of two runs are found where they are.
#include <sstream>

#include "tests/launcher/diff/recorded_runs.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class FoundFault : public RecordedRuns {
 protected:
  // Of the first step, in the forward pass.
  int calls_of(const std::string& kernel, const std::string& name, int micro_batch) const {
    std::istringstream lines(read_text(run_of(name) + "/record/step-00000001.rank-0.jsonl"));
    int count = 0;
    for (std::string line; std::getline(lines, line);) {
      const nlohmann::json json = parse_json(line, "record");
      count += json.value("name", "") == kernel && json.value("micro_batch", -1) == micro_batch &&
               !json.value("again", false);
    }
    EXPECT_GT(count, 0);
    return count;
  }
};

TEST_F(FoundFault, OfAnOp) {
  train("good", "--run.record-values all");
  // Of the first run of four micro-batches rank 1 has the second half.
  train_with("1 call:gate_residual_forward 3 spoil", "bad", 2, "--run.record-values all");
  const nlohmann::json found = json("good", "bad", 1)["difference"];
  EXPECT_EQ(found["step"], 1);
  EXPECT_EQ(found["micro_batch"], 2);
  EXPECT_EQ(found["kind"], "op");
  EXPECT_EQ(found["call"], "gate_residual_forward");
  EXPECT_EQ(found["count"], 2);
  EXPECT_EQ(found["read"], false);
  EXPECT_EQ(found["ranks"], (std::vector<int>{0, 1}));
  EXPECT_EQ(found["shapes"][0], found["shapes"][1]);
  const nlohmann::json& largest = found["largest_difference"];
  EXPECT_NEAR(largest["difference"], 1, 1e-6);
  EXPECT_EQ(largest["at"], "[0, 0, 0]");
  EXPECT_EQ(largest["elements"], 1);
  EXPECT_THAT(difference("good", "bad"),
              AllOf(StartsWith("different: gate_residual_forward, step 1, micro-batch 2\n"),
                    HasSubstr("the 3rd of the micro-batch, behind blocks."),
                    HasSubstr("all that it read is equal"), HasSubstr("largest   1 at [0, 0, 0]")));
}

// Hashes say which call it is; its values are then recorded alone.
TEST_F(FoundFault, ItsValuesInASecondRecord) {
  const std::string fault = "0 call:linear_backward_weight 20 spoil";
  train("good");
  train_with(fault, "bad", 2);
  const nlohmann::json found = json("good", "bad", 1)["difference"];
  EXPECT_EQ(found["call"], "linear_backward_weight");
  EXPECT_EQ(found["tensor"], "argument 3, written: gradient of " + found["of"].get<std::string>());
  EXPECT_FALSE(found.contains("largest_difference"));
  const std::string option = "--run.record-values '" + found["place"].get<std::string>() + "'";
  EXPECT_THAT(difference("good", "bad"), HasSubstr("record both again with " + option));
  train("good2", option);
  train_with(fault, "bad2", 2, option);
  const nlohmann::json again = json("good2", "bad2", 1)["difference"];
  EXPECT_EQ(again["place"], found["place"]);
  EXPECT_NEAR(again["largest_difference"]["difference"], 1, 1e-6);
}

TEST_F(FoundFault, OfARecomputedOp) {
  train("good", "--train.recompute full");
  const int first = 1 + calls_of("gate_residual_forward", "good", 0);  // that is recomputed
  train_with("0 call:gate_residual_forward " + std::to_string(first) + " spoil", "bad", 1,
             "--train.recompute full");
  const nlohmann::json found = json("good", "bad", 1)["difference"];
  EXPECT_EQ(found["call"], "gate_residual_forward");
  EXPECT_THAT(found["place"], testing::EndsWith("/again")) << found;
}

TEST_F(FoundFault, OfTheOrderOfSamples) {
  train("good");
  train_with("all call:make_order 1 reorder", "bad", 2);
  const nlohmann::json found = json("good", "bad", 1)["difference"];
  EXPECT_EQ(found["step"], 1);
  EXPECT_EQ(found["micro_batch"], 0);
  EXPECT_EQ(found["kind"], "samples");
  EXPECT_NE(found["samples"][0], found["samples"][1]);
  EXPECT_EQ(found["tensor"], "latents");
  EXPECT_THAT(difference("good", "bad"),
              StartsWith("different: the samples, step 1, micro-batch 0\n"));
}

// Where ranks are as many, the collective is named; else the first sum that it leaves.
TEST_F(FoundFault, OfAReduction) {
  train("one", "--steps 1");
  train("two", 2, "--steps 1 --run.record-values all");
  train_with("1 result:reduce_groups 2 spoil", "bad", 2, "--steps 1 --run.record-values all");
  const nlohmann::json found = json("two", "bad", 1)["difference"];
  EXPECT_EQ(found["kind"], "collective");
  EXPECT_EQ(found["call"], "reduce_groups");
  EXPECT_EQ(found["count"], 1);
  EXPECT_EQ(found["read"], false);
  EXPECT_EQ(found["ranks"], (std::vector<int>{1, 1}));
  EXPECT_NEAR(found["largest_difference"]["difference"], 1, 1e-6);
  EXPECT_EQ(json("one", "bad", 1)["difference"]["kind"], "gradient");
  EXPECT_THAT(difference("one", "bad"), AllOf(StartsWith("different: the summed gradient of "),
                                              HasSubstr("it was summed otherwise")));
}

// Rank 0 does not wait for the first weights of the step, which come when it waits for the next.
TEST_F(FoundFault, OfAMissingWait) {
  const std::string fault = "0 phase:data 1 skip";
  train("one", "--steps 1");
  train_with(fault, "bad", 2, "--steps 1 --parallel.zero 3");
  const nlohmann::json found = json("one", "bad", 1)["difference"];
  EXPECT_EQ(found["kind"], "op");
  EXPECT_EQ(found["read"], true) << found;
  EXPECT_THAT(found["tensor"], testing::EndsWith(found["of"].get<std::string>())) << found;
  EXPECT_THAT(difference("one", "bad"), HasSubstr("it was not there yet when it was read"));
}

// Bits of backends differ: the first op that has others is named.
TEST_F(FoundFault, OfAnotherBackend) {
  train("cpu", "--run.record-values all");
  train("reference", "--run.record-values all --run.device reference --steps 1");
  const nlohmann::json found = json("cpu", "reference", 1)["difference"];
  EXPECT_EQ(found["kind"], "op");
  EXPECT_EQ(found["read"], false);
  EXPECT_LT(found["largest_difference"]["difference"], 1e-4) << found;
  EXPECT_THAT(difference("cpu", "reference"), HasSubstr("the devices are cpu and reference"));
}

}  // namespace
}  // namespace edt::test
