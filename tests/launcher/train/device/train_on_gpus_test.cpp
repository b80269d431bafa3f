// Whole runs on emulated GPUs whose memory is closed to the host's code: what reads or writes it
// past the backend ends the test.
#include <gtest/gtest.h>

#include "parallel/comm/threads/thread_ranks.h"
#include "tests/core/cuda/emulation/device_memory.h"
#include "tests/core/cuda/emulation/runtime.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

class TrainOnGpus : public testing::Test {
 protected:
  TrainOnGpus() {
    emulation::protect_device_memory();
    write_tiny_data(directory_.path() / "data");
  }

  TrainConfig config(const std::string& name) const {
    return tiny_gpu_config(directory_.path() / "data", directory_.path() / name);
  }

  // A thread for each rank, with a GPU of its own.
  void run_on(int ranks, TrainConfig config) const {
    OptionSet options("train", "");
    config.declare(options);
    const std::string text = options.to_ini();
    const StopSignals signals;
    run_ranks(ranks, [&](Communicator& world) {
      emulation::set_gpu_place(world.rank());
      EXPECT_EQ(Trainer(config, text, world).run(true, signals), kDone);
    });
  }

  void expect_near(const std::string& a, const std::string& b) const {
    const auto left = contents(directory_.path() / a), right = contents(directory_.path() / b);
    ASSERT_EQ(left.size(), right.size());
    for (const auto& [name, values] : left) {
      if (!name.starts_with("ema:")) continue;
      const std::vector<double>& others = right.at(name);
      ASSERT_EQ(values.size(), others.size()) << name;
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_NEAR(values[i], others[i], 2e-3) << name;
    }
  }

  TempDir directory_;
};

TEST_F(TrainOnGpus, FollowTheProcessorAndGoOnFromACheckpoint) {
  TrainConfig cpu = config("cpu");
  cpu.run.device.kind = DeviceKind::kCpu;
  run_on(1, cpu);
  TrainConfig gpu = config("gpu");
  gpu.train.steps = 1;
  run_on(1, gpu);
  gpu.train.steps = 2;
  gpu.parallel.zero = ZeroStage::kGradients;
  run_on(2, gpu);
  expect_near("gpu", "cpu");
}

TEST_F(TrainOnGpus, WithTensorRanks) {
  run_on(1, config("one"));
  TrainConfig two = config("two");
  two.parallel.tensor = 2;
  two.run.sample_every = 2;
  two.run.sample_images = 2;
  two.run.sample_steps = 2;
  run_on(2, two);
  expect_near("two", "one");
}

}  // namespace
}  // namespace edt::test
