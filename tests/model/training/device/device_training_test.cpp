// Training on the emulated GPU: the curve of the processor, and the same bits however many ranks,
// whatever the stage, with overlap or without, through host memory or over NCCL.
#include "device_ranks.h"

namespace edt {
namespace {

using namespace test;

// Sums in another order: some float32 roundings of relative 6e-8 each, through a few layers.
TEST(DeviceTraining, FollowsTheProcessorInFloat32) {
  const Outcome gpu = train_on_gpus({}), cpu = train_on_cpu({});
  expect_near(gpu.losses, cpu.losses, 1e-5);
  expect_near(gpu.norms, cpu.norms, 1e-4);
}

// bf16 keeps 8 bits of each activation: both sides round, in different places.
TEST(DeviceTraining, FollowsTheProcessorInBf16) {
  const Outcome gpu = train_on_gpus({.dtype = DType::kBFloat16});
  const Outcome cpu = train_on_cpu({});
  expect_near(gpu.losses, cpu.losses, 0.02);
  expect_near(gpu.norms, cpu.norms, 0.05);
}

class DeviceSameBits : public testing::TestWithParam<std::tuple<int, bool, bool>> {};

TEST_P(DeviceSameBits, AsOneRank) {
  static const Outcome one = train_on_gpus({});
  const auto [stage, overlap, own_gpus] = GetParam();
  const Setting setting{.ranks = 2,
                        .zero = {.stage = static_cast<ZeroStage>(stage), .overlap = overlap},
                        .own_gpus = own_gpus};
  expect_same_bits(train_on_gpus(setting), one);
}

INSTANTIATE_TEST_SUITE_P(Stages, DeviceSameBits,
                         testing::Combine(testing::Range(0, 4), testing::Bool(), testing::Bool()),
                         [](const auto& one) {
                           return fmt::format("stage{}_{}_{}", std::get<0>(one.param),
                                              std::get<1>(one.param) ? "overlap" : "in_turn",
                                              std::get<2>(one.param) ? "nccl" : "staged");
                         });

// Over NCCL the collectives of the model and of ZeRO would have no common order if they overlapped:
// the emulated one ends the program then.
TEST(DeviceTraining, NothingOverlapsBesideTensorRanks) {
  const Outcome one = train_on_gpus({});
  const Outcome four = train_on_gpus(
      {.ranks = 2, .zero = {.stage = ZeroStage::kGradients}, .own_gpus = true, .tensor_ranks = 2});
  expect_near(four.losses, one.losses, 1e-5);
  expect_near(four.norms, one.norms, 1e-4);
}

// In another order of sums, so near and not equal.
TEST(DeviceTraining, TwoTensorRanksFollowOne) {
  const Outcome one = train_on_gpus({});
  for (const bool own_gpus : {false, true}) {
    const Outcome two = train_on_gpus({.own_gpus = own_gpus, .tensor_ranks = 2});
    expect_near(two.losses, one.losses, 1e-5);
    expect_near(two.norms, one.norms, 1e-4);
  }
}

}  // namespace
}  // namespace edt
