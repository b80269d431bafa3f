// Space for checkpoints, looked at before a run begins and while it trains; what is kept of them.
#include <gmock/gmock-matchers.h>
#include <sys/mount.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/json/json_text.h"
#include "launcher/train/disk_preflight.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DiskPreflight, SaysHowManyFit) {
  DiskPreflight preflight{.directory = "run/checkpoints",
                          .each = 1 << 20,
                          .free = 3 << 20,
                          .retention = {.newest = 2},
                          .saves = {10, 20, 30, 40}};
  EXPECT_EQ(preflight.fitting(), 4u);
  EXPECT_EQ(preflight.needed(), 3 << 20);
  EXPECT_EQ(preflight.shortage(), "");
  preflight.retention = {.newest = 2, .every = 10};
  EXPECT_EQ(preflight.fitting(), 3u);
  EXPECT_EQ(preflight.shortage(),
            "run/checkpoints: 3 of the next 4 checkpoints fit; with what is kept (the newest 2, "
            "every 10 steps) they need 4.00 MiB at 1.00 MiB each, 3.00 MiB are free");
}

// Snapshots of averages stay, and come at steps of their own.
TEST(DiskPreflight, CountsSnapshots) {
  DiskPreflight preflight{.directory = "run/checkpoints",
                          .each = 1 << 20,
                          .free = 5 << 20,
                          .retention = {.newest = 2},
                          .saves = {110, 120, 130, 140},
                          .snapshots = {.each = 1 << 19, .every = 7, .after = 100}};
  EXPECT_EQ(preflight.snapshots.bytes_until(104), 0u);
  EXPECT_EQ(preflight.snapshots.bytes_until(105), 1u << 19);
  EXPECT_EQ(preflight.snapshots.bytes_until(140), 6u << 19);
  // Three checkpoints at once, and four snapshots until step 130.
  EXPECT_EQ(preflight.fitting(), 3u);
  EXPECT_EQ(preflight.needed(), 6 << 20);
  EXPECT_EQ(preflight.shortage(),
            "run/checkpoints: 3 of the next 4 checkpoints fit; with what is kept (the newest 2) "
            "they need 6.00 MiB at 1.00 MiB each and 6 snapshots of averages at 512 KiB each, 5.00 "
            "MiB are free");
  preflight.free = 6 << 20;
  EXPECT_EQ(preflight.shortage(), "");
}

TEST(DiskPreflight, WhenARunSaves) {
  EXPECT_THAT(coming_saves(0, 10, 25, 9), ElementsAre(10, 20, 25));
  EXPECT_THAT(coming_saves(20, 10, 100, 2), ElementsAre(30, 40));
  EXPECT_THAT(coming_saves(7, 0, 25, 9), ElementsAre(25));
  EXPECT_TRUE(coming_saves(25, 10, 25, 9).empty());
}

class RunPreflight : public testing::Test {
 protected:
  RunPreflight() { write_tiny_data(directory_ / "set"); }
  ~RunPreflight() override {
    if (mounted_) umount2((directory_ / "disk").c_str(), MNT_DETACH);
  }
  TrainConfig config(const std::string& name) const {
    TrainConfig config = tiny_config(directory_ / "set", directory_ / name);
    config.run.checkpoint_every = 1;
    config.run.tensorboard = false;
    return config;
  }
  // False where the test may not mount a disk of its own.
  bool mount_disk(std::uint64_t bytes) {
    std::filesystem::create_directories(directory_ / "disk");
    mounted_ = mount("tmpfs", (directory_ / "disk").c_str(), "tmpfs", 0,
                     fmt::format("size={}", bytes).c_str()) == 0;
    return mounted_;
  }
  std::vector<std::int64_t> kept(const std::string& name) const {
    std::vector<std::int64_t> steps;
    for (const auto& entry : store_at(directory_ / name).entries()) steps.push_back(entry.step);
    return steps;
  }
  std::uint64_t checkpoint_bytes() {
    TrainConfig one = config("one");
    one.train.steps = 1;
    EXPECT_EQ(run(one), kDone);
    std::uint64_t bytes = 0;
    for (const auto& file :
         std::filesystem::directory_iterator(store_at(directory_ / "one").path_of(1))) {
      bytes += std::filesystem::file_size(file);
    }
    return bytes;
  }

  TempDir directory_;
  bool mounted_ = false;
};

TEST_F(RunPreflight, AFreshRunWithoutSpaceIsRefused) {
  if (!mount_disk(2 * checkpoint_bytes())) GTEST_SKIP() << "cannot mount: " << std::strerror(errno);
  const std::string refused = message_of<UsageError>([&] { run(config("disk/run")); });
  EXPECT_THAT(refused, HasSubstr("[disk]"));
  EXPECT_THAT(refused,
              HasSubstr("of the next 4 checkpoints fit; with what is kept (the newest 3)"));
  EXPECT_THAT(refused, HasSubstr("are free"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "disk" / "run")) << "nothing is left of it";
}

// What fills the disk later fails the checkpoint before it is begun; training goes on, and a
// checkpoint with space again is written.
TEST_F(RunPreflight, ARunThatGoesOnIsWarned) {
  const std::uint64_t each = checkpoint_bytes();
  if (!mount_disk(12 * each)) GTEST_SKIP() << "cannot mount: " << std::strerror(errno);
  TrainConfig config = this->config("disk/run");
  config.run.wait_for_checkpoint = true;
  config.train.steps = 3;
  ASSERT_EQ(run(config), kDone);
  {  // all but the space that metrics and logs need
    std::ofstream filler(directory_ / "disk" / "filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (std::filesystem::space(directory_ / "disk").available > each / 2)
      filler << block << std::flush;
  }
  config.train.steps = 4;
  EXPECT_THAT(message_of<SystemError>([&] { run(config); }), HasSubstr("are free"));
  EXPECT_THAT(kept("disk/run"), ElementsAre(3, 2, 1));
  const std::string log = read_text(directory_ / "disk/run/logs/rank-00000.log");
  EXPECT_THAT(log, HasSubstr("0 of the next 1 checkpoints fit"));
  std::filesystem::remove(directory_ / "disk" / "filler");
  config.train.steps = 5;
  EXPECT_EQ(run(config), kDone);
  EXPECT_THAT(kept("disk/run"), ElementsAre(5, 4, 3));
}

// Interrupted or not: the newest two, every fourth, and the five of the lowest smoothed loss.
TEST_F(RunPreflight, ARunThatGoesOnKeepsTheSame) {
  const auto keeping = [&](const std::string& name) {
    TrainConfig config = this->config(name);
    config.run.keep_checkpoints = 2;
    config.run.keep_every = 4;
    config.run.keep_best = 5;
    config.train.steps = 13;
    config.optimizer.rate.initial = 0.05;
    return config;
  };
  ASSERT_EQ(run(keeping("whole")), kDone);
  TrainConfig parts = keeping("parts");
  for (const std::int64_t steps : {3, 7, 8, 13}) {
    parts.train.steps = steps;
    ASSERT_EQ(run(parts), kDone);
  }
  EXPECT_EQ(kept("parts"), kept("whole"));

  // The smoothed loss from the metrics, and what follows from it.
  std::vector<RankedStep> all;
  double mean = 0;
  for (const nlohmann::json& json : metrics_of(directory_ / "whole")) {
    const std::int64_t step = json["step"];
    mean += (json["loss"].get<double>() - mean) / static_cast<double>(step);
    all.push_back({step, mean});
  }
  const auto gone = expired({.newest = 2, .every = 4, .best = 5}, all);
  std::vector<std::int64_t> expected;
  for (std::int64_t step = 13; step > 0; --step) {
    if (!std::ranges::count(gone, step)) expected.push_back(step);
  }
  EXPECT_EQ(kept("whole"), expected);
  EXPECT_GT(expected.size(), 4u) << "some of the best are no others: the test says something";
  const auto info = find_checkpoint(directory_ / "parts").info();
  ASSERT_TRUE(info.smoothed_loss.has_value());
  EXPECT_NEAR(*info.smoothed_loss, mean, 1e-9 * std::abs(mean));
}

TEST(KeepEvery, FitsTheCheckpoints) {
  TrainConfig config;
  config.run.checkpoint_every = 1000;
  config.run.keep_every = 1500;
  EXPECT_THAT(message_of<UsageError>([&] { config.validate(); }),
              HasSubstr("run.keep-every 1500 is not a multiple of run.checkpoint-every 1000"));
  config.run.keep_every = 5000;
  EXPECT_NO_THROW(config.validate());
  config.run.profile_steps = "4..2";
  EXPECT_THAT(message_of<UsageError>([&] { config.validate(); }), HasSubstr("'4..2'"));
}

}  // namespace
}  // namespace edt::test
