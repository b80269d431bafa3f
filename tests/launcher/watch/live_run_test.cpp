// A real run is watched while it trains and after.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/base/span.h"
#include "launcher/watch/wording.h"
#include "tests/launcher/watch/written_run.h"
#include "tests/support/emulated_process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"
#include "tests/support/wait_until.h"

namespace edt {
namespace {

// Holds a run in the forward pass of a step until somebody lets it go on.
class HeldRun final : public SpanListener {
 public:
  explicit HeldRun(int step) : left_(step) { add_span_listener(*this); }
  ~HeldRun() override { remove_span_listener(*this); }
  HeldRun(const HeldRun&) = delete;
  HeldRun& operator=(const HeldRun&) = delete;

  void let_go() { free_ = true; }

  void begin(const SpanInfo&) override {}
  void end(SpanKind) override {}
  void phase(std::string_view name) override {
    if (name != "forward" || --left_ != 0) return;
    EXPECT_TRUE(test::wait_until([this] { return free_.load(); }));
  }

 private:
  int left_;  // forward passes to come
  std::atomic<bool> free_ = false;
};

TEST(LiveRun, IsFollowedFromItsStartToItsEnd) {
  if (!test::others_see_our_start()) GTEST_SKIP() << "an emulator makes up what locks go by";
  const test::TempDir directory;
  test::write_tiny_data(directory / "data");
  TrainConfig config = test::tiny_config(directory / "data", directory / "run");
  config.train.steps = 60;
  config.run.checkpoint_every = 30;
  config.run.device.threads = 1;  // tests run beside each other
  test::write_text(directory / "run/generation", "0\n");
  RunView view(directory / "run", "run");
  HeldRun held(40);  // in step 20 or 40: of two micro-batches each
  std::jthread training([&] { EXPECT_EQ(test::run(config), kDone); });
  const auto sees = [&](const auto& what) {
    return test::wait_until([&] {
      view.refresh(0);
      return what();
    });
  };
  EXPECT_TRUE(sees([&] { return view.step() > 0 && state_text(view) == "running"; }));
  EXPECT_LT(view.step(), 60);
  held.let_go();
  EXPECT_TRUE(sees([&] { return view.state().phase == RunPhase::kFinished; }));
  training.join();
  view.refresh(0);
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
