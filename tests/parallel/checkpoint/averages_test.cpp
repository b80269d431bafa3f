#include "parallel/checkpoint/averages.h"

#include <gmock/gmock-matchers.h>

#include <fstream>

#include "core/storage/half.h"
#include "fixture.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

constexpr double kLengths[] = {0.05, 0.1};

// A run whose weights walk, with averages carried in float64 and kept as float32 or float16.
class WalkingRun : public ::testing::Test {
 protected:
  static constexpr int kSteps = 120, kEvery = 5;

  WalkingRun() {
    for (const FlatTensor& tensor : layout_.tensors()) values_ += tensor.elements();
  }

  // Snapshots at multiples of kEvery; a checkpoint of the last step.
  void train(bool half, int ranks = 1, const std::string& name = "run") {
    std::vector<double> weights(static_cast<std::size_t>(values_), 0.5);
    std::vector<std::vector<double>> kept(2, weights);
    exact_ = weights;
    for (int step = 1; step <= kSteps; ++step) {
      std::vector<float> moves(weights.size());
      random::fill_normal({.seed = 2, .step = static_cast<std::uint32_t>(step)}, moves);
      for (std::size_t i = 0; i < weights.size(); ++i) weights[i] += 0.01 * double{moves[i]};
      const auto follow = [&](std::vector<double>& average, double length) {
        const double take = PowerAverage(length).take(step);
        for (std::size_t i = 0; i < weights.size(); ++i) {
          average[i] += take * (weights[i] - average[i]);
        }
      };
      for (std::size_t a = 0; a < 2; ++a) follow(kept[a], kLengths[a]);
      follow(exact_, 0.15);
      if (step % kEvery == 0) save(name + "/averages", step, kept, half, ranks);
      if (step == kSteps) save(name + "/checkpoints", step, kept, false, ranks);
    }
  }

  // All ranks in turn, as nothing here needs them at once.
  void save(const std::string& name, int step, const std::vector<std::vector<double>>& averages,
            bool half, int ranks) {
    const CheckpointStore store(directory_.path() / name);
    std::vector<std::vector<float>> memory;
    for (const auto& values : averages) memory.emplace_back(values.begin(), values.end());
    CheckpointState state{.tensors = {}, .fragments = {}, .arrays = {}};
    std::int64_t at = 0;
    for (const FlatTensor& tensor : layout_.tensors()) {
      state.tensors.push_back({tensor.name, tensor.shape});
      // In as many fragments as there would be ranks.
      for (int rank = 0; rank < ranks; ++rank) {
        const std::int64_t begin = tensor.elements() * rank / ranks;
        const std::int64_t end = tensor.elements() * (rank + 1) / ranks;
        if (begin == end) continue;
        state.fragments.push_back(
            {state.tensors.size() - 1, Region::of_whole(tensor.shape, begin, end), at + begin});
      }
      at += tensor.elements();
    }
    for (std::size_t a = 0; a < 2; ++a) {
      state.arrays.push_back({fmt::format("{}{}", kAveragePrefix, kLengths[a]), memory[a], half});
    }
    write_checkpoint(store, state, info_of_step(step), {});
  }

  double largest_difference(double length) {
    const KeptAverages kept = KeptAverages::of_run(directory_.path() / "run");
    const PowerFit fit = kept.fit(length, kSteps);
    const auto sums = kept.sums(std::span(&fit, 1));
    double most = 0;
    for (std::size_t i = 0; i < exact_.size(); ++i) {
      most = std::max(most, std::abs(double{sums[0][i]} - exact_[i]));
    }
    return most;
  }

  TempDir directory_;
  const FlatLayout layout_ = small_layout();
  std::int64_t values_ = 0;
  std::vector<double> exact_;  // the average of length 0.15, carried
};

// The weights have moved by about 0.1.
TEST_F(WalkingRun, GivesAnAverageThatNobodyKept) {
  train(false);
  const double by_float = largest_difference(0.15);
  EXPECT_LT(by_float, 4e-4);
  EXPECT_GT(largest_difference(0.1), 10 * by_float);  // another length is another average
  fs::remove_all(directory_.path() / "run");
  train(true);
  EXPECT_LT(largest_difference(0.15), 2e-3);  // 0.5 in float16 has steps of 5e-4
}

TEST_F(WalkingRun, HalfTakesHalfTheSpaceAndKnowsItsChecksums) {
  train(false);
  const auto bytes = [&] {
    return Checkpoint::open(directory_.path() / "run/averages/step-000005").bytes();
  };
  const auto whole = bytes();
  fs::remove_all(directory_.path() / "run");
  train(true);
  const auto values = static_cast<std::uint64_t>(values_);
  EXPECT_GT(whole - bytes(), 3 * values);  // 4 but for what HDF5 leaves between data sets
  const Checkpoint snapshot = Checkpoint::open(directory_.path() / "run/averages/step-000005");
  EXPECT_NO_THROW(snapshot.verify());
  EXPECT_THAT(snapshot.manifest().half_arrays,
              ::testing::ElementsAre("average.0.05", "average.0.1"));
  const auto read = snapshot.read_tensor("average.0.05", 0);
  EXPECT_NEAR(read[0], 0.5, 0.1);
  EXPECT_EQ(read[0], half_to_float(float_to_half(read[0])));
}

TEST_F(WalkingRun, DoesNotDependOnWhoWroteIt) {
  train(true, 1, "one");
  train(true, 3, "three");
  const auto sums = [&](const char* name) {
    const KeptAverages kept = KeptAverages::of_run(directory_.path() / name);
    const std::vector<PowerFit> fits{kept.fit(0.02, kSteps), kept.fit(0.2, kSteps - 7)};
    return kept.sums(fits);
  };
  EXPECT_EQ(sums("one"), sums("three"));
}

TEST_F(WalkingRun, TheNewestCheckpointStandsForItsSnapshot) {
  train(true);
  const KeptAverages kept = KeptAverages::of_run(directory_.path() / "run");
  EXPECT_EQ(kept.checkpoints().size(), kSteps / kEvery);
  EXPECT_EQ(kept.newest().path().parent_path().filename(), "checkpoints");
  EXPECT_EQ(kept.stored().size(), 2 * kSteps / kEvery);
}

TEST_F(WalkingRun, LeavesOutWhatIsDamagedAndRefusesWhatIsNotThere) {
  const auto run = directory_.path() / "run";
  EXPECT_THAT(message_of<CheckpointError>([&] { KeptAverages::of_run(run); }),
              HasSubstr("there is no such run"));
  fs::create_directories(run);
  EXPECT_THAT(message_of<CheckpointError>([&] { KeptAverages::of_run(run); }),
              HasSubstr("has no power-function averages"));
  train(true);
  const auto file = run / "averages/step-000050/rank-0000.h5";
  fs::resize_file(file, fs::file_size(file) - 7);
  const KeptAverages kept = KeptAverages::of_run(run);
  EXPECT_EQ(kept.checkpoints().size(), kSteps / kEvery - 1);
  EXPECT_THAT(message_of<UsageError>([&] { (void)kept.fit(0.1, kSteps + 1); }),
              HasSubstr("--step is 121, there are averages up to step 120"));
}

TEST_F(WalkingRun, IsWrittenAsAMovingAverage) {
  train(false);
  const KeptAverages kept = KeptAverages::of_run(directory_.path() / "run");
  const PowerFit fit = kept.fit(0.07, kSteps);
  const auto sums = kept.sums(std::span(&fit, 1));
  const CheckpointStore out(directory_.path() / "out");
  kept.write(sums[0], info_of_step(kSteps), out);
  const Checkpoint made = find_checkpoint(directory_.path() / "out");
  EXPECT_THAT(made.manifest().arrays, ::testing::ElementsAre("ema"));
  std::vector<float> all;
  for (std::size_t t = 0; t < made.manifest().tensors.size(); ++t) {
    const auto tensor = made.read_tensor("ema", t);
    all.insert(all.end(), tensor.begin(), tensor.end());
  }
  EXPECT_EQ(all, sums[0]);
}

// Values that float16 cannot hold are no snapshot.
TEST(HalfArrays, RefuseWhatIsTooLarge) {
  const TempDir directory;
  std::vector<float> values{1, 70000};
  const CheckpointState state{
      {{"a", {2}}}, {{0, Region::of_whole({2}), 0}}, {{"average.0.1", values, true}}};
  EXPECT_THAT(message_of<SystemError>([&] {
                write_checkpoint(CheckpointStore(directory.path()), state, info_of_step(1), {});
              }),
              HasSubstr("beyond float16"));
}

TEST(CheckpointStore, RemovesWhatComesAgain) {
  const TempDir directory;
  const CheckpointStore store(directory.path());
  save_steps(store, {10, 20, 30}, {.keep = {.newest = 9}});
  EXPECT_EQ(store.remove_after(10), 2);
  EXPECT_EQ(store.entries().size(), 1u);
  EXPECT_EQ(store.entries()[0].step, 10);
  EXPECT_EQ(store.remove_after(10), 0);
}

}  // namespace
}  // namespace edt::test
