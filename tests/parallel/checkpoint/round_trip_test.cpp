#include <gmock/gmock-matchers.h>

#include <algorithm>

#include "fixture.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

class RoundTrip : public ::testing::Test {
 protected:
  TempDir directory_;
  CheckpointStore store_{directory_.path() / "checkpoints"};
};

TEST_F(RoundTrip, BringsBackEverything) {
  const auto reports = save_steps(store_, {5});
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].error, "");
  EXPECT_EQ(reports[0].path, store_.path_of(5));
  EXPECT_EQ(loaded_step(store_), 5);
  const Checkpoint checkpoint = Checkpoint::open(store_.path_of(5));
  EXPECT_EQ(checkpoint.info(), info_of_step(5));
  EXPECT_EQ(checkpoint.bytes(), reports[0].bytes);
  for (const ExtraArray& extra : extras_of_step(5)) {
    EXPECT_EQ(checkpoint.extra(extra.name), extra);
  }
  EXPECT_EQ(checkpoint.extra("nothing"), std::nullopt);
}

TEST_F(RoundTrip, WritesTheStateOfTheSaveNotOfLater) {
  RankState rank(small_layout(), 0, 1);
  CheckpointWriter writer(store_, make_self_communicator(), rank.state(), {});
  rank.fill(1);
  writer.save(info_of_step(1), {});
  rank.fill(2);  // the next step changes the weights while the write goes on
  writer.save(info_of_step(2), {});
  rank.fill(3);
  writer.wait();
  EXPECT_EQ(writer.take_reports().size(), 2u);
  EXPECT_TRUE(writer.take_reports().empty());
  EXPECT_EQ(loaded_step(store_), 2);
  fs::remove_all(store_.path_of(2));
  EXPECT_EQ(loaded_step(store_), 1);
}

TEST_F(RoundTrip, SynchronousWritingNeedsNoCopy) {
  RankState rank(small_layout(), 0, 1);
  const CheckpointWriter direct(store_, make_self_communicator(), rank.state(),
                                {.asynchronous = false});
  const CheckpointWriter staged(store_, make_self_communicator(), rank.state(), {});
  EXPECT_EQ(direct.staging_bytes(), 0u);
  EXPECT_EQ(staged.staging_bytes(), 3u * static_cast<std::size_t>(small_layout().elements()) * 4);
  EXPECT_EQ(save_steps(store_, {4}, {.asynchronous = false})[0].error, "");
  EXPECT_EQ(loaded_step(store_), 4);
}

TEST_F(RoundTrip, KeepsTheNewest) {
  for (const auto& report : save_steps(store_, {1, 2, 3, 4, 5}, {.keep = {.newest = 3}})) {
    EXPECT_TRUE(report.ok()) << report.error;
  }
  std::vector<std::int64_t> steps;
  for (const auto& entry : store_.entries()) steps.push_back(entry.step);
  EXPECT_THAT(steps, ::testing::ElementsAre(5, 4, 3));
  EXPECT_THROW(save_steps(store_, {}, {.keep = {.newest = 1}}), UsageError);
}

TEST_F(RoundTrip, SavingAnEarlierStepAgainKeepsItAndTheLaterOnes) {
  save_steps(store_, {10, 20});
  save_steps(store_, {5, 5});
  std::vector<std::int64_t> steps;
  for (const auto& entry : store_.entries()) steps.push_back(entry.step);
  EXPECT_THAT(steps, ::testing::ElementsAre(20, 10, 5));
  EXPECT_TRUE(store_.entries().back().complete);
  EXPECT_EQ(std::distance(fs::directory_iterator(store_.directory()), {}), 3);
}

TEST_F(RoundTrip, LoadsAPartOfTheArrays) {
  save_steps(store_, {5});
  RankState rank(small_layout(), 0, 1);
  CheckpointState only_ema = rank.state();
  only_ema.arrays = {only_ema.arrays[1]};
  Checkpoint::open(store_.path_of(5)).load(only_ema);
  const auto expected = tensor_values(5, 1, 0, 70);
  EXPECT_EQ(
      std::vector<float>(only_ema.arrays[0].values.begin(), only_ema.arrays[0].values.begin() + 70),
      expected);
  EXPECT_EQ(rank.state().arrays[0].values[0], 0.f);
  EXPECT_EQ(Checkpoint::open(store_.path_of(5)).read_tensor("ema", 0), expected);
}

TEST_F(RoundTrip, FindsWhatAUserNames) {
  EXPECT_THAT(message_of<CheckpointError>([&] { find_checkpoint(directory_.path() / "none"); }),
              HasSubstr("none: there is no such directory"));
  EXPECT_THAT(message_of<CheckpointError>([&] { find_checkpoint(directory_.path()); }),
              HasSubstr("holds no checkpoint"));
  save_steps(store_, {1, 2});
  EXPECT_EQ(find_checkpoint(directory_.path()).info().step, 2);
  EXPECT_EQ(find_checkpoint(store_.directory()).info().step, 2);
  EXPECT_EQ(find_checkpoint(store_.path_of(1)).info().step, 1);
}

TEST_F(RoundTrip, TensorsAreFoundInAnyOrder) {
  save_steps(store_, {5});
  std::vector<FlatTensor> tensors = small_layout().tensors();
  std::ranges::reverse(tensors);
  RankState rank(FlatLayout(tensors, 64), 0, 1);
  Checkpoint::open(store_.path_of(5)).load(rank.state());
  for (const StateFragment& fragment : rank.state().fragments) {
    const std::size_t original = tensors.size() - 1 - fragment.tensor;
    const std::int64_t elements = tensors[fragment.tensor].elements();
    const auto expected = tensor_values(5, 0, original, elements);
    ASSERT_EQ(fragment.region.elements(), elements);
    EXPECT_TRUE(std::ranges::equal(
        expected, rank.state().arrays[0].values.subspan(static_cast<std::size_t>(fragment.offset),
                                                        expected.size())))
        << tensors[fragment.tensor].name;
  }
}

// Another model is refused in one line, before anything changes.
class OtherModel : public RoundTrip {
 protected:
  std::string refusal(std::vector<FlatTensor> tensors) {
    save_steps(store_, {5});
    RankState rank(FlatLayout(std::move(tensors), 64), 0, 1);
    const auto message = message_of<CheckpointError>(
        [&] { Checkpoint::open(store_.path_of(5)).load(rank.state()); });
    for (const StateArray& array : rank.state().arrays) {
      EXPECT_THAT(array.values, ::testing::Each(0.f));
    }
    return message;
  }
  std::vector<FlatTensor> tensors_ = small_layout().tensors();
};

TEST_F(OtherModel, OtherShape) {
  tensors_[2].shape = {24, 30};
  EXPECT_THAT(refusal(tensors_),
              HasSubstr("blocks.0.attn.weight is [20, 30], the model has [24, 30]"));
}

TEST_F(OtherModel, SameElementsOtherShape) {
  tensors_[2].shape = {30, 20};
  EXPECT_THAT(refusal(tensors_), HasSubstr("[20, 30], the model has"));
}

TEST_F(OtherModel, OtherName) {
  tensors_[3].name = "blocks.0.mlp.bias";
  EXPECT_THAT(refusal(tensors_), HasSubstr("is of another model: it lacks blocks.0.mlp.bias [20]"));
}

TEST_F(OtherModel, FewerAndMoreTensors) {
  const auto last = tensors_.back();
  tensors_.pop_back();
  EXPECT_THAT(refusal(tensors_), HasSubstr("which lacks final_layer.linear.weight [3, 100]"));
  tensors_.push_back(last);
  tensors_.push_back({"head.weight", {2}});
  EXPECT_THAT(refusal(tensors_), HasSubstr("it lacks head.weight [2]"));
}

TEST_F(OtherModel, OtherOptimizer) {
  save_steps(store_, {5});
  RankState rank(small_layout(), 0, 1);
  CheckpointState state = rank.state();
  state.arrays[2].name = "adamw.exp_avg";
  EXPECT_THAT(
      message_of<CheckpointError>([&] { Checkpoint::open(store_.path_of(5)).load(state); }),
      HasSubstr("has no adamw.exp_avg: it was written with optimizer \"adan\" and holds master, "
                "ema, adan.exp_avg"));
  EXPECT_THAT(state.arrays[0].values, ::testing::Each(0.f));
}

}  // namespace
}  // namespace edt::test
