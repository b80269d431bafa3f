// The adaLN projections of a stage in one launch: when they are, and that nothing else changes.
#include "device_ranks.h"
#include "tests/core/cuda/emulation/runtime.h"

namespace edt {
namespace {

using namespace test;

// Stages of two, three and two blocks: one launch each saves 1 + 2 + 1.
constexpr int kSaved = 4;

ModelConfig staged_edt() {
  EdtConfig config = tiny_edt();
  config.depths = {2, 3, 2};
  return config;
}

// Launches that a training has saved, of all ranks.
int saved(Setting setting) {
  setting.graphs = false;  // replays call nothing
  const auto before = emulation::products_asked_for();
  train_on_gpus(setting);
  const auto after = emulation::products_asked_for();
  return (after.products - before.products) - (after.calls - before.calls);
}

Outcome block_by_block(const Setting& setting) {
  emulation::set_batches_by_single_algorithms(false);
  Outcome outcome = train_on_gpus(setting);
  emulation::set_batches_by_single_algorithms(true);
  return outcome;
}

TEST(AtOnce, OneLaunchForEachStage) {
  EXPECT_EQ(saved({.model = staged_edt(), .steps = 2, .micro_batches = 1}), 2 * kSaved);
  EXPECT_EQ(saved({.model = tiny_dit(), .steps = 1, .micro_batches = 2}), 2 * 1);
}

TEST(AtOnce, OneLaunchForEachStageOfATensorRank) {
  EXPECT_EQ(saved({.tensor_ranks = 2, .model = staged_edt(), .steps = 1, .micro_batches = 1}),
            2 * kSaved);
}

// Encoder and decoder of tiny MDTv2 have stages of one block.
TEST(AtOnce, OneLaunchForEachPartOfMdtv2) {
  Mdtv2Config model = tiny_mdtv2();
  model.encoder_depth = 4;
  model.decoder_depth = 2;
  EXPECT_EQ(saved({.model = model, .steps = 1, .micro_batches = 1}), 3);
}

class AtOnceOverRanks : public testing::TestWithParam<bool> {};

// Weights that other ranks have updated arrive during the first micro-batch, in the order of their
// use: it waits block by block. Stage 3 never has those of all blocks.
TEST_P(AtOnceOverRanks, NothingIsWaitedForAhead) {
  const auto saved_at = [](ZeroStage stage) {
    return saved({.ranks = 2,
                  .zero = {.stage = stage, .overlap = GetParam()},
                  .model = staged_edt(),
                  .steps = 2,
                  .micro_batches = 4});
  };
  const int micro_batches = 8, later = 4;  // of both ranks in both steps
  EXPECT_EQ(saved_at(ZeroStage::kNone), micro_batches * kSaved);
  EXPECT_EQ(saved_at(ZeroStage::kOptimizer), later * kSaved);
  EXPECT_EQ(saved_at(ZeroStage::kGradients), later * kSaved);
  EXPECT_EQ(saved_at(ZeroStage::kWeights), 0);
}

INSTANTIATE_TEST_SUITE_P(Overlap, AtOnceOverRanks, testing::Bool(),
                         [](const auto& one) { return one.param ? "overlap" : "in_turn"; });

TEST(AtOnce, SameBitsAsBlockByBlock) {
  for (const ModelConfig& model : {staged_edt(), ModelConfig(tiny_dit())}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      SCOPED_TRACE(fmt::format("{} in {}", model.name(), name_of(dtype)));
      const Setting setting{.dtype = dtype, .model = model, .steps = 3, .micro_batches = 2};
      const Outcome at_once = train_on_gpus(setting);
      EXPECT_GT(at_once.replays, 0);
      expect_same_bits(at_once, block_by_block(setting));
    }
  }
}

TEST(AtOnce, SameBitsAtEveryStage) {
  Setting setting{.model = staged_edt(), .steps = 3, .micro_batches = 4};
  const Outcome one = block_by_block(setting);
  setting.ranks = 2;
  for (const int stage : {0, 1, 2, 3}) {
    SCOPED_TRACE(stage);
    setting.zero.stage = static_cast<ZeroStage>(stage);
    expect_same_bits(train_on_gpus(setting), one);
  }
}

TEST(AtOnce, SameBitsWithRecompute) {
  Setting setting{.model = staged_edt(), .steps = 2, .micro_batches = 1};
  const Outcome kept = train_on_gpus(setting);
  for (const Recompute recompute : {Recompute::kSelective, Recompute::kFull}) {
    setting.recompute = recompute;
    expect_same_bits(train_on_gpus(setting), kept);
  }
}

}  // namespace
}  // namespace edt
