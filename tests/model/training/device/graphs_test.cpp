// Training with CUDA graphs, on the emulated GPU: the bits of training without. A replay runs the
// kernels with the arguments that they were captured with, so whatever changes from step to step
// must reach them through memory.
#include "device_ranks.h"

namespace edt {
namespace {

using namespace test;

Outcome without_graphs(Setting setting) {
  setting.graphs = false;
  setting.ranks = 1;
  setting.zero = {};
  const Outcome outcome = train_on_gpus(setting);
  EXPECT_EQ(outcome.replays, 0);
  return outcome;
}

// All micro-batches run once and are captured once; the others are replays. Of eight, those at 2
// and 4 are one kind.
TEST(Graphs, StepsHaveTheSameBits) {
  ModelConfig flow = tiny_dit();
  flow.common().process = ProcessConfig::flow();
  flow.common().name = "tiny SiT";
  for (const ModelConfig& model : {ModelConfig(tiny_edt()), ModelConfig(tiny_dit()), flow,
                                   ModelConfig(tiny_lightning_dit())}) {
    for (const std::int64_t micro_batches : {1, 2, 8}) {
      SCOPED_TRACE(fmt::format("{}, {} micro-batches", model.name(), micro_batches));
      const Setting setting{.model = model, .steps = 5, .micro_batches = micro_batches};
      const Outcome outcome = train_on_gpus(setting);
      EXPECT_EQ(outcome.replays, 3 * micro_batches + (micro_batches == 8 ? 2 : 0));
      expect_same_bits(outcome, without_graphs(setting));
    }
  }
}

TEST(Graphs, StepsHaveTheSameBitsInBf16) {
  const Setting setting{.dtype = DType::kBFloat16, .steps = 4, .micro_batches = 2};
  const Outcome outcome = train_on_gpus(setting);
  EXPECT_GT(outcome.replays, 0);
  expect_same_bits(outcome, without_graphs(setting));
}

class GraphsOverRanks : public testing::TestWithParam<std::tuple<int, bool, bool>> {};

// The steps of the host between graphs: what is sent and waited for, with the weights that arrive
// while the first micro-batch goes on, and the gradients that leave while the last one does.
TEST_P(GraphsOverRanks, HaveTheBitsOfOneRankWithout) {
  Setting setting{.steps = 5, .micro_batches = 4};
  static const Outcome one = without_graphs(setting);
  const auto [stage, overlap, own_gpus] = GetParam();
  setting.ranks = 2;
  setting.own_gpus = own_gpus;
  setting.zero = {.stage = static_cast<ZeroStage>(stage), .overlap = overlap};
  const Outcome two = train_on_gpus(setting);
  EXPECT_EQ(two.replays > 0, setting.zero.stage < ZeroStage::kWeights);
  expect_same_bits(two, one);
}

INSTANTIATE_TEST_SUITE_P(Stages, GraphsOverRanks,
                         testing::Combine(testing::Range(0, 4), testing::Bool(), testing::Bool()),
                         [](const auto& one) {
                           return fmt::format("stage{}_{}_{}", std::get<0>(one.param),
                                              std::get<1>(one.param) ? "overlap" : "in_turn",
                                              std::get<2>(one.param) ? "nccl" : "staged");
                         });

// 12 micro-batches: of 2 ranks in three turns, of 3 and 6 in groups that meet at the end of one.
class GraphsOverOddRanks : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(GraphsOverOddRanks, HaveTheBitsOfOneRankWithout) {
  Setting setting{.steps = 3, .micro_batches = 12};
  static const Outcome one = without_graphs(setting);
  const auto [ranks, stage] = GetParam();
  setting.ranks = ranks;
  setting.own_gpus = ranks != 6;  // those through host memory
  setting.zero = {.stage = static_cast<ZeroStage>(stage), .overlap = true};
  const Outcome many = train_on_gpus(setting);
  EXPECT_EQ(many.replays > 0, setting.zero.stage < ZeroStage::kWeights);
  expect_same_bits(many, one);
}

INSTANTIATE_TEST_SUITE_P(Stages, GraphsOverOddRanks,
                         testing::Combine(testing::Values(2, 3, 6), testing::Range(0, 4)),
                         [](const auto& one) {
                           return fmt::format("ranks{}_stage{}", std::get<0>(one.param),
                                              std::get<1>(one.param));
                         });

// In turns of four micro-batches the third one of the first and the first one of the others have as
// many partial sums before them, in other memory.
TEST(Graphs, TellTurnsApart) {
  for (const auto& [ranks, stage, micro_batches] :
       {std::tuple{2, ZeroStage::kNone, 24}, {3, ZeroStage::kGradients, 36}}) {
    Setting setting{.model = tiny_dit(), .steps = 2, .micro_batches = micro_batches};
    const Outcome one = without_graphs(setting);
    setting.ranks = ranks;
    setting.own_gpus = true;
    setting.zero = {.stage = stage};
    const Outcome many = train_on_gpus(setting);
    EXPECT_GT(many.replays, 0);
    expect_same_bits(many, one);
  }
}

// The number of visible tokens is drawn for each step.
TEST(Graphs, ModelsThatDropTokensGoWithout) {
  const Setting setting{.model = tiny_mdtv2(), .steps = 3, .micro_batches = 1};
  const Outcome outcome = train_on_gpus(setting);
  EXPECT_EQ(outcome.replays, 0);
  expect_same_bits(outcome, without_graphs(setting));
}

TEST(Graphs, TensorRanksGoWithout) {
  const Setting setting{.tensor_ranks = 2, .steps = 3, .micro_batches = 1};
  EXPECT_EQ(train_on_gpus(setting).replays, 0);
}

// As after a run has diverged: weights of an earlier step come back under the graphs.
TEST(Graphs, FollowAStateThatIsRestored) {
  std::vector<float> master, average;
  Setting setting{.steps = 6, .micro_batches = 2};
  setting.after_step = [&](TrainingEngine& engine, Backend& backend) {
    const auto keep = [&](std::vector<float>& to, std::span<const float> from) {
      to.resize(from.size());
      to_host(backend, from, to);
    };
    if (engine.step() == 2) {
      keep(master, engine.state().master());
      keep(average, engine.state().ema());
    }
    if (engine.step() == 4 && !master.empty()) {
      to_device(backend, master, engine.state().master());
      to_device(backend, average, engine.state().ema());
      master.clear();
      engine.restored(2, 0);
    }
  };
  const Outcome with = train_on_gpus(setting);
  EXPECT_GT(with.replays, 0);
  expect_same_bits(with, without_graphs(setting));
}

// Another use of the backend makes its scratch memory grow: the graphs' addresses are gone.
TEST(Graphs, AreCapturedAgainWhenScratchMemoryMoves) {
  Setting setting{.steps = 7, .micro_batches = 1};
  setting.after_step = [](TrainingEngine& engine, Backend& backend) {
    if (engine.step() != 3) return;
    const Block memory(backend.memory(), std::size_t{1} << 20);
    auto* next = static_cast<float*>(memory.data());
    const auto zeros = [&](std::int64_t rows, std::int64_t columns) {
      const Tensor tensor{next, {rows, columns}, DType::kFloat32};
      next += tensor.elements();
      backend.zero(tensor);
      return tensor;
    };
    const Tensor a = zeros(512, 64), b = zeros(512, 64), weight = zeros(8, 128), y = zeros(512, 8);
    backend.concat_linear_forward(a, b, weight, {}, y);
  };
  const Outcome with = train_on_gpus(setting);
  EXPECT_EQ(with.replays, 3);  // of step 3, 6 and 7
  expect_same_bits(with, without_graphs(setting));
}

}  // namespace
}  // namespace edt
