// What a dry step says about memory, FLOPs and bytes on the wire against steps that are taken.
#include <gtest/gtest.h>

#include <mutex>

#include "core/cpu/cpu_backend.h"
#include "model/plan/predict.h"
#include "model/plan/search.h"
#include "model/training/array_batch.h"
#include "model/training/engine.h"
#include "parallel/sharding/mesh.h"
#include "tests/model/plan/counting_transport.h"
#include "tests/model/plan/planned_steps.h"

namespace edt {
namespace {

using test::small_step;

struct Taken {
  std::map<std::string, std::size_t> memory;  // largest of a rank
  double model_flops = 0, recompute_flops = 0, sent = 0;
};

void take_step(TrainingEngine& engine, const Model& model) {
  const auto& step = engine.own_micro_batches();
  const auto images = static_cast<std::size_t>(2);
  const std::vector<float> latents(images * static_cast<std::size_t>(model.latents().elements()),
                                   0.1f);
  const std::vector<std::int32_t> labels(images, 1);
  engine.begin_step();
  const ArrayBatch arrays(engine.arrays(), 2);
  for (const std::int64_t index : step) {
    engine.run_micro_batch(index, latents, labels, arrays.spans());
  }
  engine.finish_step();
}

// Three steps; the third is counted.
Taken take(const PlannedStep& step) {
  Taken taken;
  std::mutex mutex;
  test::run_counted(step.ranks(), [&](Communicator& world, std::atomic<std::int64_t>& sent) {
    const Mesh mesh(world, step.tensor_ranks);
    const auto backend = make_cpu_backend();
    const auto model = make_model(step.model, *backend, step.engine.dtype, {&mesh.tensor()});
    std::int64_t before = 0, after = 0;
    std::map<std::string, std::size_t> memory;
    double flops = 0, again = 0;
    {
      EngineConfig config = step.engine;
      config.zero.overlap = false;  // nothing is on its way when a step is done
      TrainingEngine engine(*model, *backend, mesh.data(), config);
      engine.initialize();
      take_step(engine, *model);
      take_step(engine, *model);
      before = sent;
      take_step(engine, *model);
      for (const MemoryUse& use : engine.memory()) memory[std::string(use.category)] = use.bytes;
      flops = engine.profiler().total_flops();
      again = engine.profiler().total_recompute_flops();
    }
    after = sent;
    const std::lock_guard lock(mutex);
    for (const auto& [name, bytes] : memory) {
      taken.memory[name] = std::max(taken.memory[name], bytes);
    }
    taken.model_flops = flops;
    taken.recompute_flops = again;
    taken.sent = std::max(taken.sent, static_cast<double>(after - before));
  });
  return taken;
}

struct Case {
  std::string name;
  PlannedStep step;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int ranks : {1, 2, 4}) {
    for (int stage = 0; stage < 4; ++stage) {
      all.push_back({fmt::format("{}_ranks_zero_{}", ranks, stage),
                     small_step(ranks, 1, static_cast<ZeroStage>(stage))});
    }
  }
  const auto variant = [&](const char* name, auto change, int data = 2, int tensor = 1) {
    all.push_back({name, small_step(data, tensor, ZeroStage::kWeights)});
    change(all.back().step.engine);
  };
  variant("recompute_least", [](auto& e) { e.recompute = Recompute::kLeast; });
  variant("recompute_selective", [](auto& e) { e.recompute = Recompute::kSelective; });
  variant("recompute_full", [](auto& e) { e.recompute = Recompute::kFull; });
  variant("bf16", [](auto& e) { e.dtype = DType::kBFloat16; });
  variant("bf16_whole_weights", [](auto& e) {
    e.dtype = DType::kBFloat16;
    e.zero.stage = ZeroStage::kOptimizer;
  });
  variant("bf16_wire", [](auto& e) { e.zero.reduce_dtype = Wire::kBFloat16; });
  variant("unmasked", [](auto& e) { e.objective.masked = false; });
  variant("shared_noise", [](auto& e) { e.objective.shared_noise = true; });
  variant("adamw", [](auto& e) { e.optimizer = AdamWConfig{}; });
  variant(
      "tensor_2", [](auto&) {}, 1, 2);
  variant(
      "data_2_tensor_2", [](auto& e) { e.recompute = Recompute::kFull; }, 2, 2);
  const auto joint = [&](const char* name, Recompute recompute) {
    all.push_back({name, small_step(2, 2, ZeroStage::kWeights)});
    all.back().step.model = test::tiny_emmdit();
    all.back().step.engine.objective.masked = false;
    all.back().step.engine.recompute = recompute;
  };
  joint("joint_text", Recompute::kNone);
  joint("joint_text_recompute_selective", Recompute::kSelective);
  joint("joint_text_recompute_full", Recompute::kFull);
  return all;
}

class DryStepCase : public testing::TestWithParam<Case> {};

TEST_P(DryStepCase, SaysWhatAStepTakes) {
  const PlannedStep& step = GetParam().step;
  const Taken taken = take(step);
  const DryRun run = dry_run(step);
  std::map<std::string, std::size_t> planned;
  for (const MemoryUse& use : run.memory) planned[std::string(use.category)] = use.bytes;
  planned.erase("inputs and tables");  // not part of the engine's account
  auto expected = taken.memory;
  std::erase_if(expected, [](const auto& use) { return use.second == 0; });
  EXPECT_EQ(planned, expected);
  EXPECT_DOUBLE_EQ(run.model_flops, taken.model_flops);
  EXPECT_DOUBLE_EQ(run.recompute_flops, taken.recompute_flops);
}

// Parts of a bucket differ by a block of 4096 elements at most, which is much of the buckets of so
// small a model; a plan takes them to be equal.
TEST_P(DryStepCase, SaysWhatAStepSends) {
  const PlannedStep& step = GetParam().step;
  const Cluster cluster{.nodes = 1,
                        .devices = 8,
                        .memory = 1e12,
                        .float32_rate = 1e12,
                        .bf16_rate = 1e12,
                        .memory_bandwidth = 1e12,
                        .intra = {.latency = 1e-6, .bandwidth = 1e10}};
  const Prediction plan = predict(step, cluster);
  const double planned = plan.gradient_wire + plan.weight_wire + plan.tensor_wire;
  const double sent = take(step).sent;
  if (step.ranks() == 1) {
    EXPECT_EQ(planned, 0);
    EXPECT_EQ(sent, 0);
  } else {
    EXPECT_NEAR(planned / sent, 1, 0.12) << planned << " planned, " << sent << " sent";
  }
}

INSTANTIATE_TEST_SUITE_P(Steps, DryStepCase, testing::ValuesIn(cases()),
                         [](const auto& test_case) { return test_case.param.name; });

// Every kernel's FLOPs against what the ops say; attention's backward executes five products, of
// which four count.
TEST(DryStep, KernelsAddUpToTheModel) {
  const DryRun run = dry_run(small_step());
  double sum = 0;
  for (const TraceEvent& event : run.trace.events) {
    if (event.type != TraceEvent::Type::kKernel) continue;
    for (const MatmulForm& form : run.trace.kernels[event.index].gemms) sum += form.flops();
  }
  EXPECT_NEAR(sum / run.model_flops, 1, 1e-12);
}

using test::tiny_dit;
using test::tiny_mdtv2;

// Three micro-batches stand for all of them.
TEST(DryStep, MemoryAloneIsThatOfTheWholeStep) {
  const auto compare = [](const PlannedStep& step) {
    const DryRun run = dry_run(step);
    const DryMemory memory = dry_run_of_memory(step);
    std::map<std::string_view, std::size_t> whole, alone;
    for (const MemoryUse& use : run.memory) whole[use.category] = use.bytes;
    for (const MemoryUse& use : memory.uses) alone[use.category] = use.bytes;
    EXPECT_EQ(alone, whole) << describe(step);
    EXPECT_EQ(memory.bytes, run.memory_bytes) << describe(step);
    EXPECT_EQ(memory.parameters, run.parameters) << describe(step);
  };
  for (const std::int64_t count : {1, 2, 4, 8, 16, 32}) {
    for (const int ranks : {1, 2}) {
      for (const auto stage :
           {ZeroStage::kNone, ZeroStage::kOptimizer, ZeroStage::kGradients, ZeroStage::kWeights}) {
        PlannedStep step = small_step(ranks, 1, stage, count);
        compare(step);
        step.engine.dtype = DType::kBFloat16;
        step.engine.recompute = count % 4 == 0 ? Recompute::kFull : Recompute::kSelective;
        compare(step);
        if (count > 8) continue;
        step.model = tiny_mdtv2();
        compare(step);
        step.model = tiny_dit();
        step.engine.objective.masked = false;
        compare(step);
      }
    }
    compare(small_step(1, 2, ZeroStage::kNone, count));
  }
}

TEST(DryStep, MemoryOfManyMicroBatchesTakesNoLonger) {
  const auto accumulation = [](std::int64_t count) {
    for (const MemoryUse& use : dry_run_of_memory(small_step(1, 1, ZeroStage::kNone, count)).uses) {
      if (use.category == "gradient accumulation") return static_cast<double>(use.bytes);
    }
    return 0.0;
  };
  EXPECT_EQ(accumulation(1 << 18) / accumulation(2), 18) << "a buffer for each level of the tree";
}

TEST(DryStep, TheLargestModelTouchesNoMemory) {
  PlannedStep step = small_step();
  auto* model = step.model.as<EdtConfig>();
  model->widths = {12000, 16000, 20000, 16000, 12000};
  model->heads = {100, 100, 100, 100, 100};
  const DryRun run = dry_run(step);
  EXPECT_GT(run.memory_bytes, std::size_t{400} << 30);
}

TEST(DryStep, AnIllegalMeshIsRefusedAsInTraining) {
  EXPECT_THROW(dry_run(small_step(1, 3)), UsageError);
  PlannedStep uneven = small_step(4, 1);
  uneven.data_ranks = 3;
  EXPECT_THROW(dry_run(uneven), UsageError);
}

}  // namespace
}  // namespace edt
