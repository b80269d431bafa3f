// Training on the emulated GPU: the curve of the processor, and the same bits however many ranks,
// whatever the stage, with overlap or without, through host memory or over NCCL.
#include <gtest/gtest.h>

#include "core/cpu/cpu_backend.h"
#include "core/cuda/cuda_backend.h"
#include "model/edt/edt_model.h"
#include "model/training/engine.h"
#include "parallel/device_communicator.h"
#include "parallel/self/self_communicator.h"
#include "parallel/threads/thread_ranks.h"
#include "tests/core/cuda/emulation/runtime.h"

namespace edt {
namespace {

constexpr std::int64_t kBatch = 8, kMicroBatch = 1;
constexpr int kSteps = 2;

EdtConfig tiny() {
  EdtConfig config;
  config.name = "tiny";
  config.input_size = 8;
  config.classes = 4;
  config.depths = {1, 1, 1};
  config.widths = {16, 24, 16};
  config.heads = {2, 2, 2};
  config.mid_mask = true;
  config.mid_mask_block = 0;
  return config;
}

struct Setting {
  int ranks = 1;
  ZeroConfig zero;
  DType dtype = DType::kFloat32;
  bool own_gpus = false;  // each rank has its own, so NCCL connects them
  int tensor_ranks = 1;
};

struct Outcome {
  std::vector<double> losses, norms;
  std::vector<float> average;
  bool operator==(const Outcome&) const = default;
};

EngineConfig engine_config(const Setting& setting) {
  EngineConfig config;
  config.dtype = setting.dtype;
  config.batch = kBatch;
  config.micro_batch = kMicroBatch;
  config.rate.initial = 1e-3;
  config.ema_decay = 0.5;
  config.clip = 0.5;
  config.seed = 5;
  config.zero = setting.zero;
  config.zero.bucket_elements = 4096;  // many buckets of a small model
  return config;
}

Outcome train(Backend& backend, Communicator& data, const TensorGroup& tensor,
              const Setting& setting) {
  EdtModel model(tiny(), backend, setting.dtype, tensor);
  TrainingEngine engine(model, backend, data, engine_config(setting));
  engine.initialize();
  std::vector<float> latents(4 * 8 * 8);
  Outcome outcome;
  for (int step = 0; step < kSteps; ++step) {
    engine.begin_step();
    for (const std::int64_t index : engine.own_micro_batches()) {
      random::fill_normal({.seed = 3,
                           .step = static_cast<std::uint32_t>(step),
                           .sample = static_cast<std::uint32_t>(index)},
                          latents);
      const std::vector<std::int32_t> labels{static_cast<std::int32_t>(index % 4)};
      engine.run_micro_batch(index, latents, labels);
    }
    const StepReport report = engine.finish_step();
    EXPECT_EQ(report.non_finite, "");
    outcome.losses.insert(outcome.losses.end(), {report.loss, report.masked_loss.value_or(-1)});
    outcome.norms.push_back(report.grad_norm);
  }
  outcome.average = engine.gather_moving_average();
  return outcome;
}

Outcome train_on_gpus(const Setting& setting) {
  Outcome first;
  run_ranks(setting.ranks * setting.tensor_ranks, [&](Communicator& ranks) {
    emulation::set_gpu_place(setting.own_gpus ? ranks.rank() : 0);
    const auto gpu = make_cuda_backend();
    const int data_rank = ranks.rank() / setting.tensor_ranks;
    const int tensor_rank = ranks.rank() % setting.tensor_ranks;
    const auto data = ranks.split(tensor_rank, data_rank, "data");
    const auto tensor = ranks.split(data_rank, tensor_rank, "tensor");
    const auto tensors = communicator_for(*gpu, *tensor, "activations");
    const Outcome outcome = train(*gpu, *data, {tensor.get(), tensors.get()}, setting);
    if (ranks.is_root()) first = outcome;
  });
  return first;
}

Outcome train_on_cpu(DType dtype) {
  const auto cpu = make_cpu_backend();
  const auto alone = make_self_communicator();
  return train(*cpu, *alone, {}, {.dtype = dtype});
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance * std::abs(b[i]));
}

// Sums in another order: some float32 roundings of relative 6e-8 each, through a few layers.
TEST(DeviceTraining, FollowsTheProcessorInFloat32) {
  const Outcome gpu = train_on_gpus({}), cpu = train_on_cpu(DType::kFloat32);
  expect_near(gpu.losses, cpu.losses, 1e-5);
  expect_near(gpu.norms, cpu.norms, 1e-4);
}

// bf16 keeps 8 bits of each activation: both sides round, in different places.
TEST(DeviceTraining, FollowsTheProcessorInBf16) {
  const Outcome gpu = train_on_gpus({.dtype = DType::kBFloat16});
  const Outcome cpu = train_on_cpu(DType::kFloat32);
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
  const Outcome two = train_on_gpus(setting);
  EXPECT_EQ(two.losses, one.losses);
  EXPECT_EQ(two.norms, one.norms);
  EXPECT_TRUE(two.average == one.average);
}

INSTANTIATE_TEST_SUITE_P(Stages, DeviceSameBits,
                         testing::Combine(testing::Range(0, 4), testing::Bool(), testing::Bool()),
                         [](const auto& one) {
                           return fmt::format("stage{}_{}_{}", std::get<0>(one.param),
                                              std::get<1>(one.param) ? "overlap" : "in_turn",
                                              std::get<2>(one.param) ? "nccl" : "staged");
                         });

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
