// The micro-batch that edt train chooses where none is given: which, why, and that it is kept.
#include "launcher/train/micro_batch.h"

#include <gmock/gmock-matchers.h>

#include "launcher/recipe/engine_config.h"
#include "parallel/sharding/mesh.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

PlannedStep step_of(std::int64_t batch, int data_ranks, int tensor_ranks = 1) {
  TrainConfig config = tiny_config("none", "none");
  config.train.batch = batch;
  return {training_recipe(config, config.model.resolve(5)), data_ranks, tensor_ranks};
}

std::int64_t chosen(std::int64_t batch, int data_ranks) {
  return choose_micro_batch(step_of(batch, data_ranks), {}).images;
}

TEST(MicroBatch, IsTheLargestTo32ThatLeavesNoRankWithoutOne) {
  EXPECT_EQ(chosen(256, 1), 32);
  EXPECT_EQ(chosen(256, 8), 32);
  EXPECT_EQ(chosen(256, 32), 8) << "4 nodes of 8 GPUs";
  EXPECT_EQ(chosen(256, 256), 1);
  EXPECT_EQ(chosen(4, 1), 4);
  EXPECT_EQ(chosen(96, 1), 24) << "cuts the batch into a power of two";
  EXPECT_EQ(chosen(96, 16), 6);
  EXPECT_EQ(chosen(6, 2), 3);
  EXPECT_EQ(chosen(1000, 1), 125) << "nothing smaller does";
  EXPECT_EQ(chosen(96, 3), 32) << "3 of them";
  EXPECT_EQ(chosen(384, 24), 16) << "3 nodes of 8 GPUs";
  EXPECT_EQ(chosen(240, 24), 10);
  EXPECT_EQ(chosen(60, 5), 12);
  EXPECT_EQ(chosen(36, 12), 3);
}

TEST(MicroBatch, IsRefusedWhereTheRanksCannotShareTheBatch) {
  const auto refusal = [](std::int64_t batch, int data_ranks) {
    return message_of<UsageError>([&] { chosen(batch, data_ranks); });
  };
  EXPECT_EQ(refusal(256, 3),
            "[mesh] 3 data ranks (3 ranks, 1 to a model) cannot share 256 micro-batches evenly: 1, "
            "2, 4, 8, 16, 32, 64, 128, 256 would fit, or a batch of 192 or 384 images");
  EXPECT_THAT(refusal(12, 8), HasSubstr("are more than the 4 micro-batches: 1, 2, 4 would fit"));
}

TEST(MicroBatch, FitsInTheMemoryOfARank) {
  const auto bytes = [](std::int64_t size) {
    PlannedStep step = step_of(32, 1);
    step.engine.micro_batch = size;
    return static_cast<double>(dry_run_of_memory(step).bytes);
  };
  const auto choice_in = [](double available) {
    return choose_micro_batch(step_of(32, 1), {"node07", available, 1000});
  };
  EXPECT_EQ(choice_in(bytes(32) + 1000).images, 32);
  const MicroBatchChoice smaller = choice_in(bytes(32) + 999);
  EXPECT_EQ(smaller.images, 16);
  EXPECT_THAT(smaller.why, HasSubstr("32 would need"));
  EXPECT_THAT(smaller.why, HasSubstr("on each rank, node07 has"));
  EXPECT_EQ(choice_in(bytes(1) + 1000).images, 1);
  EXPECT_EQ(choice_in(1).images, 32) << "nothing fits: require_memory() says what else would";
}

TEST(MicroBatch, GivenAndTooLargeForTheRanksIsOutcomeedWithOneThatIsNot) {
  const auto refusal = [](std::int64_t micro_batches, int ranks) {
    return message_of<UsageError>([&] {
      check_mesh({.ranks = ranks, .micro_batches = micro_batches, .batch = 256, .model = "m"});
    });
  };
  EXPECT_THAT(refusal(8, 32), HasSubstr("1, 2, 4, 8 would fit, or micro-batches of 8 images"));
  EXPECT_THAT(refusal(8, 256), HasSubstr("micro-batches of 1 image"));
  EXPECT_THAT(refusal(8, 512), Not(HasSubstr("micro-batches of")));
  EXPECT_THAT(refusal(8, 512), HasSubstr("or a batch of 512 images"));
  EXPECT_THAT(refusal(8, 24), HasSubstr("or a batch of 192 or 384 images"));
}

TEST(MicroBatch, GivenAndTooLargeForAnyBatchNearIsSaidToBe) {
  const auto refusal = [](int ranks, std::int64_t batch, std::int64_t micro_batch) {
    return message_of<UsageError>([&] {
      check_mesh(
          {.ranks = ranks, .micro_batches = batch / micro_batch, .batch = batch, .model = "m"});
    });
  };
  EXPECT_THAT(refusal(2, 7, 7), EndsWith("or a batch of 4 or 8 images in smaller micro-batches"));
  EXPECT_THAT(refusal(2, 7, 1), EndsWith("or a batch of 4 or 8 images"));
  EXPECT_THAT(refusal(3, 8, 4), EndsWith("or a batch of 12 images"));
}

class ChosenMicroBatch : public testing::Test {
 protected:
  ChosenMicroBatch() { write_tiny_data(directory_ / "set"); }

  std::vector<std::string> train(const std::string& run, std::vector<std::string> more = {}) const {
    std::vector<std::string> args{"train",
                                  "--data=" + (directory_ / "set").string(),
                                  "--run.dir=" + (directory_ / run).string(),
                                  "--model=EDT-Ti/2",
                                  "--model.image-size=128",
                                  "--model.widths=8,12,16,12,8",
                                  "--model.heads=2,3,4,3,2",
                                  "--batch=8",
                                  "--steps=2"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  TempDir directory_;
};

TEST_F(ChosenMicroBatch, IsPrintedAndStored) {
  const Outcome outcome = edt_command(train("run"));
  ASSERT_EQ(outcome.status, kDone) << outcome.error;
  EXPECT_THAT(outcome.out, HasSubstr("micro-batch = 8\n"));
  EXPECT_THAT(read_text(directory_ / "run/config.ini"), HasSubstr("micro-batch = 8\n"));
  EXPECT_THAT(find_checkpoint(directory_ / "run").manifest().info.configuration,
              HasSubstr("micro-batch = 8\n"));
  ASSERT_EQ(edt_command(train("given", {"--micro-batch=8"})).status, kDone);
  EXPECT_EQ(contents(directory_ / "run"), contents(directory_ / "given"));
}

TEST_F(ChosenMicroBatch, StartsWithWhatDiffersFromTheDefaults) {
  const Outcome outcome = edt_command(train("run", {"--train.seed=0", "--optimizer.lr=0.5"}));
  ASSERT_EQ(outcome.status, kDone) << outcome.error;
  EXPECT_THAT(outcome.out, HasSubstr("lr = 0.5\n"));
  EXPECT_THAT(outcome.out, HasSubstr("run/config.ini has everything"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("seed")));
  EXPECT_LT(std::ranges::count(outcome.out, '\n'), 25);
  EXPECT_THAT(read_text(directory_ / "run/config.ini"), HasSubstr("seed = 0\n"));
}

TEST_F(ChosenMicroBatch, GoesIntoTheScriptOfAJob) {
  const std::vector<std::string> job{"slurm",
                                     "--nodes=4",
                                     "--gpus-per-node=8",
                                     "--run.device=cuda",
                                     "--data=" + (directory_ / "set").string(),
                                     "--run.dir=" + (directory_ / "run").string(),
                                     "--model.image-size=128"};
  const Outcome outcome = edt_command(job);
  ASSERT_EQ(outcome.status, kDone) << outcome.error;
  EXPECT_THAT(read_text(directory_ / "run/train.ini"), HasSubstr("micro-batch = 8\n"));
}

}  // namespace
}  // namespace edt::test
