// A batch that makes training diverge: the run goes back to its last checkpoint, skips the batches
// since, and carries on to its end; on one rank, on many, and over a resume, with the same bits.
#include <gmock/gmock-matchers.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/json/json_text.h"
#include "core/random/stream.h"
#include "data/writer.h"
#include "parallel/checkpoint/compare.h"
#include "tests/support/mpi_world.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt {
namespace {

using testing::StartsWith;

constexpr std::int64_t kBatch = 8, kPoisoned = 93, kEvery = 10, kSteps = 100;
// Losses of the first steps are about 1, later ones 0.6; that of the poisoned one is 1.35.
constexpr double kSpike = 1.2;

// Enough samples that none is seen twice. Latents are close to zero, so that the model learns to
// take its input for the noise; those in `poisoned` are large, and there it is wrong.
void write_data(const std::filesystem::path& directory, const std::set<std::uint64_t>& poisoned) {
  data::Description description;
  description.channels = 4;
  description.height = description.width = 16;
  description.image_size = 128;
  description.classes = 5;
  description.source = "test";
  constexpr std::uint64_t kSamples = 1100;
  data::DatasetWriter writer(directory, description, kSamples, {.samples_per_shard = 64});
  std::vector<float> latent(description.latent_elements());
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    random::fill_normal({.seed = 1, .sample = static_cast<std::uint32_t>(i)}, latent);
    for (float& value : latent) value *= poisoned.contains(i) ? 50 : 0.05f;
    const auto label = static_cast<std::int32_t>(i % 5);
    writer.append(latent, {}, std::span(&label, 1));
  }
  writer.finish();
}

class RollBack : public testing::Test {
 protected:
  RollBack() {
    if (world_.is_root()) {
      directory_ = std::make_unique<test::TempDir>();
      write_data(*directory_ / "clean", {});
      // The samples of the step that is to fail.
      const data::Dataset clean(*directory_ / "clean");
      data::SampleOrder order = clean.make_order({.seed = config("").train.seed});
      std::set<std::uint64_t> poisoned;
      for (std::int64_t i = 0; i < kBatch; ++i) {
        poisoned.insert(order.at(static_cast<std::uint64_t>((kPoisoned - 1) * kBatch + i)).index);
      }
      write_data(*directory_ / "data", poisoned);
    }
    root_ = world_.broadcast(directory_ ? directory_->path().string() : "", 0, "test directory");
  }
  ~RollBack() override { world_.barrier("end of the test"); }

  TrainConfig config(const std::string& run) const {
    TrainConfig config = test::tiny_config(root_ / "data", root_ / run);
    config.train.batch = kBatch;
    config.train.micro_batch = 2;
    config.train.steps = kSteps;
    config.optimizer.rate = {.kind = ScheduleKind::kConstant, .initial = 0.01};
    config.train.spike_threshold = 10;
    config.train.spike_window = 20;
    config.train.on_spike = OnSpike::kRollBack;
    config.run.checkpoint_every = kEvery;
    return config;
  }
  void run_alone(const TrainConfig& config) {
    if (world_.is_root()) {
      EXPECT_EQ(test::run(config), kDone);
    }
    world_.barrier("reference");
  }
  std::vector<nlohmann::json> metrics(const std::string& run) const {
    return test::metrics_of(root_ / run);
  }
  std::string difference(const std::string& a, const std::string& b) const {
    return compare(find_checkpoint(root_ / a), find_checkpoint(root_ / b)).difference;
  }
  // Every step once; where it went back, and why; as many batches skipped as were seen in vain.
  void expect_carried_on(const std::string& run) const {
    constexpr std::int64_t kLastGood = (kPoisoned - 1) / kEvery * kEvery;
    constexpr std::int64_t kSkipped = kPoisoned - kLastGood;
    const auto lines = metrics(run);
    ASSERT_EQ(lines.size(), static_cast<std::size_t>(kSteps)) << run;
    for (std::int64_t step = 1; step <= kSteps; ++step) {
      const auto& line = lines[static_cast<std::size_t>(step - 1)];
      EXPECT_EQ(line["step"], step);
      const std::int64_t skipped = step > kLastGood ? kSkipped : 0;
      EXPECT_EQ(line["samples_seen"], (step + skipped) * kBatch) << "step " << step;
      EXPECT_EQ(line.contains("went_back"), step == kLastGood + 1) << "step " << step;
      EXPECT_FALSE(line.contains("rejected")) << "step " << step;
      EXPECT_LT(line["loss"].get<double>(), kSpike) << "step " << step;
    }
    EXPECT_THAT(lines[kLastGood]["went_back"].get<std::string>(),
                StartsWith(fmt::format("step {}: ", kPoisoned)));
    const auto outcome = parse_json(test::read_text(root_ / run / "outcome.json"), "output");
    EXPECT_EQ(outcome["status"], 0);
    EXPECT_EQ(find_checkpoint(root_ / run).info().samples_seen, (kSteps + kSkipped) * kBatch);
  }

  Communicator& world_ = test::mpi_world();
  const bool is_first_ = world_.size() == 2;  // the fewest ranks that this program runs on
  std::unique_ptr<test::TempDir> directory_;
  std::filesystem::path root_;
};

TEST_F(RollBack, SkipsTheBatchesAndCarriesOnToTheEnd) {
  if (kBatch % world_.size() != 0) GTEST_SKIP() << "these ranks cannot share the batch";
  run_alone(config("alone"));
  std::vector<std::string> runs{"alone", "ranks"};
  if (is_first_) {  // of one rank: the same whatever their number
    runs.emplace_back("parts");
    TrainConfig parts = config("parts");
    for (const std::int64_t steps : {kPoisoned + 2, kSteps}) {
      parts.train.steps = steps;
      run_alone(parts);
    }
  }
  TrainConfig ranks = config("ranks");
  ranks.parallel.zero = ZeroStage::kGradients;
  EXPECT_EQ(test::run(ranks, world_), kDone);
  if (!world_.is_root()) return;
  for (const std::string& run : runs) {
    expect_carried_on(run);
    EXPECT_EQ(difference("alone", run), "");
  }
}

// The same data without the detector: what it is there for.
TEST_F(RollBack, WithoutItTheSpikeIsTrainedOn) {
  if (!is_first_) GTEST_SKIP() << "one rank trains";
  TrainConfig careless = config("careless");
  careless.train.spike_threshold = 0;
  run_alone(careless);
  if (!world_.is_root()) return;
  EXPECT_GT(metrics("careless").at(kPoisoned - 1)["loss"].get<double>(), kSpike);
  EXPECT_EQ(metrics("careless").back()["samples_seen"], kSteps * kBatch);
}

}  // namespace
}  // namespace edt
