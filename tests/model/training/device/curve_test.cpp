// A loss curve in bf16 on a GPU beside the processor's in float32. Built twice: with the emulated
// GPU, and for real ones (label cuda).
#include <numeric>

#include "parallel/comm/self/self_communicator.h"
#include "short_training.h"
#include "tests/core/cuda/gpu.h"

namespace edt {
namespace {

using namespace test;

constexpr std::size_t kWindow = 20;

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Both see the same samples, noise and timesteps, so each loss can be compared. bf16 rounds every
// activation by up to 0.2 %, which averages to 0.02 % of a loss at first; then the weights drift
// apart. Measured: 0.4 % of a loss, 0.1 % of the mean of 20 steps (two passes each), both at the
// end. The band is four times that: a tenth more learning rate leaves it.
TEST(Curve, TwoHundredStepsInBf16FollowTheProcessorInFloat32) {
  EDT_NEEDS_GPU();
  Setting setting{.steps = 200, .micro_batches = 1};
  const Outcome cpu = train_on_cpu(setting);
  setting.dtype = DType::kBFloat16;
  const auto gpu = make_cuda_backend();
  const auto alone = make_self_communicator();
  const Outcome bf16 = train(*gpu, *alone, {}, setting);
  ASSERT_EQ(cpu.losses.size(), 400u);
  EXPECT_GT(bf16.replays, 190);
  expect_near(bf16.losses, cpu.losses, 0.015);
  for (std::size_t at = 0; at < cpu.losses.size(); at += 2 * kWindow) {
    const double expected = mean(std::span(cpu.losses).subspan(at, 2 * kWindow));
    const double got = mean(std::span(bf16.losses).subspan(at, 2 * kWindow));
    EXPECT_NEAR(got, expected, 0.004 * expected) << "from step " << at / 2;
  }
  const auto all = std::span(cpu.losses);
  EXPECT_LT(mean(all.last(2 * kWindow)), 0.8 * mean(all.first(2 * kWindow)));  // it has learnt
}

}  // namespace
}  // namespace edt
