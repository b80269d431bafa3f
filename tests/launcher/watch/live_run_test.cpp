// A real run is watched while it trains and after.
#include <gtest/gtest.h>

#include <thread>

#include "launcher/watch/wording.h"
#include "tests/launcher/watch/written_run.h"
#include "tests/support/tiny_run.h"

namespace edt {
namespace {

TEST(LiveRun, IsFollowedFromItsStartToItsEnd) {
  const TemporaryDirectory directory;
  test::write_tiny_data(directory / "data");
  TrainConfig config = test::tiny_config(directory / "data", directory / "run");
  config.train.steps = 60;
  config.run.checkpoint_every = 30;
  config.run.device.threads = 1;  // tests run beside each other
  write_text(directory / "run/generation", "0\n");
  RunView view(directory / "run", "run");
  bool running = false, between = false;
  std::jthread training([&] { EXPECT_EQ(test::run(config), kDone); });
  for (int i = 0; i < 3000; ++i) {
    view.refresh(0);
    running = running || state_text(view) == "running";
    between = between || (view.step() > 0 && view.step() < 60);
    if (view.state().phase == RunPhase::kFinished) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  training.join();
  view.refresh(0);
  EXPECT_TRUE(running);
  EXPECT_TRUE(between);
  EXPECT_EQ(state_text(view), "finished");
  EXPECT_EQ(view.step(), 60);
  EXPECT_EQ(view.metrics().steps(), 60);
  EXPECT_EQ(view.metrics().bad_lines(), 0);
  ASSERT_EQ(view.checkpoints().size(), 2u);
  EXPECT_TRUE(view.checkpoints()[0].intact) << view.checkpoints()[0].problem;
  EXPECT_GT(view.checkpoints()[0].bytes, 1000u);
  EXPECT_TRUE(std::isfinite(view.metrics().last().flops_per_s));
  EXPECT_TRUE(std::isfinite(view.metrics().last().time));
  EXPECT_EQ(view.metrics().last().generation, 1);
}

}  // namespace
}  // namespace edt
