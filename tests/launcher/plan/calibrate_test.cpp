#include "launcher/plan/calibrate.h"

#include <gmock/gmock-matchers.h>

#include "core/cpu/cpu_backend.h"
#include "launcher/memory/memory_check.h"
#include "launcher/plan/cluster_file.h"
#include "launcher/plan/link_timing.h"
#include "launcher/plan/plan_report.h"
#include "launcher/plan/plan_scale.h"
#include "model/plan/predict.h"
#include "parallel/comm/self/self_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/model/plan/planned_steps.h"
#include "tests/support/browser.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::small_step;

// Every kernel of the step runs on the backend again, and is found when the step is planned.
TEST(Calibrate, MeasuresEveryKernelOfTheStep) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    PlannedStep step = small_step();
    step.engine.dtype = dtype;
    const auto backend = make_cpu_backend();
    const auto world = make_self_communicator();
    const Cluster cluster = calibrate(step, *backend, *world, 1, {});
    const Prediction plan = predict(step, cluster);
    EXPECT_EQ(plan.measured_calls, plan.kernel_calls);
    EXPECT_GT(plan.time.seconds, 0);
    EXPECT_GT(cluster.float32_rate, 1e8);
    EXPECT_GT(cluster.process_memory, 1 << 20);
  }
}

TEST(Calibrate, KeepsWhatItDoesNotMeasure) {
  Cluster before;
  before.name = "kept";
  before.measured.seconds["other"] = 3;
  const auto backend = make_cpu_backend();
  const auto world = make_self_communicator();
  const Cluster after = calibrate(small_step(), *backend, *world, 1, before);
  EXPECT_EQ(after.name, "kept");
  EXPECT_EQ(after.measured.seconds.at("other"), 3);
  EXPECT_GT(after.measured.seconds.size(), 20u);
}

TEST(TimeLink, RisesWithTheBytes) {
  run_ranks(2, [](Communicator& world) {
    const Link link = time_link(world, world.rank() ^ 1);
    ASSERT_EQ(link.bytes.size(), link.exchange_seconds.size());
    ASSERT_EQ(link.bytes.size(), link.reduce_seconds.size());
    EXPECT_GT(link.exchange_seconds.back(), link.exchange_seconds.front());
    EXPECT_GT(link.bandwidth, 0);
  });
}

TEST(TimeLink, PairsStayWhereTheyAreMeasured) {
  const Hosts three{3, 3};  // nodes, ranks of each
  for (int rank = 0; rank < 9; ++rank) {
    const int beside = partner_in_node(rank, three), across = partner_between_nodes(rank, three);
    EXPECT_EQ(beside / 3, rank / 3) << "in its node";
    EXPECT_EQ(partner_in_node(beside, three), rank);
    EXPECT_EQ(beside == rank, rank % 3 == 2) << "of three one waits";
    EXPECT_EQ(across % 3, rank % 3) << "at its place";
    EXPECT_EQ(partner_between_nodes(across, three), rank);
    EXPECT_EQ(across == rank, rank >= 6);
  }
}

TEST(Memory, WhatDoesNotFitIsRefusedWithBothValues) {
  PlannedStep step = small_step(2, 1, ZeroStage::kNone);
  const double needed = static_cast<double>(dry_run(step).memory_bytes) + kProcessBytes;
  EXPECT_NO_THROW(require_memory(step, needed, "here"));
  const std::string refused =
      test::message_of<UsageError>([&] { require_memory(step, needed - 1, "node07"); });
  EXPECT_THAT(refused, testing::HasSubstr("needs"));
  EXPECT_THAT(refused, testing::HasSubstr("node07 has"));
  EXPECT_THAT(refused, testing::HasSubstr("would fit")) << "stage 1 keeps less";
  EXPECT_THAT(test::message_of<UsageError>([&] { require_memory(step, 1, "node07"); }),
              testing::Not(testing::HasSubstr("would fit")));
}

// A GPU that says what is free and gives nothing.
class FullGpu final : public Memory {
 public:
  FullGpu(std::string name, double bytes)
      : free_{std::move(name), static_cast<std::size_t>(bytes)} {}
  void* reserve(std::size_t) override { return nullptr; }
  void release(void*) noexcept override {}
  std::optional<FreeMemory> free_on_device() const override { return free_; }

 private:
  FreeMemory free_;
};

TEST(Memory, RanksShareAGpuOnlyWhereItIsTheSame) {
  const PlannedStep step = small_step(2, 1, ZeroStage::kNone);
  const double needed = static_cast<double>(dry_run(step).memory_bytes) + kGpuProcessBytes;
  run_ranks(2, [&](Communicator& world) {
    const FullGpu own(world.rank() == 0 ? "GPU 0" : "GPU 1", needed);
    EXPECT_NO_THROW(require_free_memory(step, own, world));
    const FullGpu same("GPU 0", needed);
    EXPECT_THAT(test::message_of<UsageError>([&] { require_free_memory(step, same, world); }),
                testing::HasSubstr("each of the 2 ranks on GPU 0 of "));
  });
}

// A plan of a calibrated GPU counts what a run there may ask for, not the host's memory.
TEST(Calibrate, CountsTheMemoryOfTheGpuThatRanksShare) {
  constexpr double kGib = 1 << 30;
  const PlannedMemory of_host{500 * kGib, 0.1 * kGib};
  run_ranks(2, [&](Communicator& world) {
    const FullGpu gpu("GPU 0", 78 * kGib);
    const PlannedMemory on_gpu = planned_memory(gpu, memory_of_each_rank(gpu, world), of_host);
    EXPECT_EQ(on_gpu.bytes, 39 * kGib);
    EXPECT_EQ(on_gpu.process_bytes, kGpuProcessBytes);
    const PlannedMemory on_host =
        planned_memory(host_memory(), memory_of_each_rank(host_memory(), world), of_host);
    EXPECT_EQ(on_host.bytes, of_host.bytes);
    EXPECT_EQ(on_host.process_bytes, of_host.process_bytes);
  });
}

TEST(Memory, ASamplerThatDoesNotFitIsToldHowManyPicturesWould) {
  constexpr std::int64_t kMany = 1 << 14;
  const PlannedSampler sampler{test::tiny_edt(), DType::kFloat32, kMany};
  const auto bytes = [&](std::int64_t pictures) {
    PlannedSampler other = sampler;
    other.pictures = pictures;
    return static_cast<double>(dry_run_of_sampler(other, false));
  };
  run_ranks(1, [&](Communicator& world) {
    const FullGpu enough("GPU", bytes(kMany) + kGpuProcessBytes);
    EXPECT_NO_THROW(require_free_memory(sampler, "--batch", enough, world));
    const FullGpu some("GPU", bytes(10000) + kGpuProcessBytes);
    EXPECT_THAT(
        test::message_of<UsageError>([&] { require_free_memory(sampler, "--batch", some, world); }),
        testing::AllOf(testing::HasSubstr("16384 pictures together need"),
                       testing::HasSubstr("--batch 8192 would fit")));
    const FullGpu none("GPU", kGpuProcessBytes);
    EXPECT_THAT(
        test::message_of<UsageError>([&] { require_free_memory(sampler, "--batch", none, world); }),
        testing::HasSubstr("not one of them would fit"));
  });
}

// Beyond a few pictures the dry run is continued in proportion.
TEST(Memory, OfASamplerGrowsWithThePictures) {
  PlannedSampler sampler{test::tiny_edt(), DType::kFloat32, 8};
  const auto at = [&](std::int64_t pictures) {
    sampler.pictures = pictures;
    return dry_run_of_sampler(sampler);
  };
  constexpr std::int64_t kMany = 1 << 14;
  EXPECT_GT(at(kMany), at(kMany / 2));
  EXPECT_EQ(at(3 * kMany / 2) - at(kMany), at(kMany) - at(kMany / 2));
  sampler.dtype = DType::kBFloat16;
  EXPECT_LT(dry_run_of_sampler(sampler, false), dry_run_of_sampler(sampler, true));
}

TEST(Scale, RangesOfRanks) {
  EXPECT_EQ(parse_scale_range("1..4096").last, 4096);
  EXPECT_EQ(parse_scale_range("8").last, 8);
  for (const char* wrong : {"", "a..b", "4..1", "0..4", "1..", "1...4"}) {
    EXPECT_THROW(parse_scale_range(wrong), UsageError) << wrong;
  }
}

// Reports of a real search, in a browser.
TEST(Reports, AreDrawn) {
  if (!test::has_browser()) GTEST_SKIP() << "no browser is installed";
  const test::TempDir directory;
  const Cluster cluster = read_cluster("8xh100");
  PlannedStep step = small_step(1, 1, ZeroStage::kOptimizer);
  step.engine.batch = 64;
  plan_page(search(step, 4, {}, cluster), cluster, 4).write(directory / "plan.html");
  const auto plans = plan_scaling(step, {1, 16, 4}, {}, cluster, [](const ScaledPlan&) {});
  scaling_page(plans, cluster).write(directory / "scale.html");
  test::expect_drawn(directory / "plan.html", 1);
  test::expect_drawn(directory / "scale.html", 3);
}

}  // namespace
}  // namespace edt
