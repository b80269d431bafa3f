// The promise: a step's result has the same bits for every number of data ranks, ZeRO stage, and
// with overlap or without. Ranks are threads here.
#include <gtest/gtest.h>
#include <omp.h>

#include <chrono>

#include "core/cpu/cpu_backend.h"
#include "model/plan/gemms.h"
#include "model/recipe/training.h"
#include "model/training/array_batch.h"
#include "parallel/comm/self/self_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/support/distilled.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::distilled_from, test::of_a_flow, test::tiny_dit, test::tiny_edt, test::tiny_emmdit,
    test::tiny_lightning_dit, test::tiny_mdtv2, test::tiny_sequence;

constexpr std::int64_t kBatch = 16, kMicroBatch = 2;

struct Setting {
  int ranks = 1;
  ZeroConfig zero;
  DType dtype = DType::kFloat32;
  ModelConfig model = tiny_edt();
  std::vector<double> averages = {};  // lengths
  AuxiliaryConfig auxiliary = {};
  double dual_time = 0;
  bool shared_noise = false;
  Recompute recompute = Recompute::kNone;
  std::int64_t complete_steps = 0;  // of a model with gates; otherwise it has its masked pass
};

// Arrays of the whole layout: master, moving average, optimizer state.
using WholeState = std::vector<std::vector<float>>;

struct Trained {
  WholeState state;
  std::vector<double> history, losses, grad_norms;
  bool operator==(const Trained&) const = default;
};

EngineConfig engine_config(const Setting& setting) {
  EngineConfig config;
  config.dtype = setting.dtype;
  config.batch = kBatch;
  config.micro_batch = kMicroBatch;
  config.rate.initial = 1e-3;
  config.ema_decay = 0.9;
  config.power_averages = setting.averages;
  config.clip = 0.5;
  config.seed = 5;
  config.zero = setting.zero;
  config.recompute = setting.recompute;
  config.objective.masked =
      setting.model.passes().masked() && setting.dual_time == 0 && setting.complete_steps == 0;
  config.objective.complete_steps = setting.complete_steps;
  config.objective.dual_time = setting.dual_time;
  config.objective.shared_noise = setting.shared_noise;
  if (setting.dual_time > 0) config.times.sampling = TimeSampling::kUniform;
  return config;
}

void take_step(TrainingEngine& engine, const Model& model, Trained& trained) {
  const auto pixels = static_cast<std::size_t>(model.latents().elements() * kMicroBatch);
  const auto begin = std::chrono::steady_clock::now();
  engine.begin_step();
  for (const std::int64_t index : engine.own_micro_batches()) {
    std::vector<float> latents(pixels);
    std::vector<std::int32_t> labels(kMicroBatch, static_cast<std::int32_t>(index % 4));
    random::fill_normal({.seed = 3,
                         .step = static_cast<std::uint32_t>(engine.step()),
                         .sample = static_cast<std::uint32_t>(index)},
                        latents);
    ArrayBatch arrays(engine.arrays(), kMicroBatch);
    const std::vector<ArrayRequest> requests = engine.arrays();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      std::vector<float>& values = arrays.values()[i];
      if (requests[i].name == kTextLengthArray) {
        values = {1.f + static_cast<float>(index % 3), 5.f};
      } else {
        random::fill_normal({.seed = 4, .sample = static_cast<std::uint32_t>(index)}, values);
      }
    }
    engine.run_micro_batch(index, latents, labels, arrays.spans());
  }
  const StepReport report = engine.finish_step();
  // Each second counts once, as computing or as waiting.
  EXPECT_LE(report.compute_seconds + report.communication_seconds + report.optimizer_seconds,
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  trained.losses.push_back(report.loss);
  trained.losses.push_back(report.masked_loss.value_or(0));
  trained.grad_norms.push_back(report.grad_norm);
}

// Each rank writes the part of the state that it saves; ranks do not overlap.
void collect(TrainingEngine& engine, WholeState& whole) {
  FlatState& state = engine.state();
  std::vector<std::span<float>> arrays{state.master(), state.ema()};
  for (std::size_t i = 0; i < state.state_count(); ++i) arrays.push_back(state.state(i));
  for (std::size_t i = 0; i < state.average_count(); ++i) arrays.push_back(state.average(i));
  for (const FlatShard::Part& part : engine.own_shard().parts) {
    for (std::size_t a = 0; a < arrays.size(); ++a) {
      std::copy_n(arrays[a].begin() + part.offset, part.range.elements(),
                  whole[a].begin() + part.range.begin);
    }
  }
}

Trained train(const Setting& setting, int steps = 4) {
  Trained trained;
  trained.state.resize(6 + setting.averages.size());  // master, moving average, four of Adan
  run_ranks(setting.ranks, [&](Communicator& ranks) {
    omp_set_num_threads(1);  // of this rank
    const auto backend = make_cpu_backend();
    Training training({setting.model, engine_config(setting), setting.auxiliary}, *backend, ranks);
    TrainingEngine& engine = training.engine();
    engine.initialize();
    training.begin();
    Trained mine;
    for (int i = 0; i < steps; ++i) take_step(engine, training.model(), mine);
    if (ranks.is_root()) {
      for (auto& array : trained.state)
        array.resize(static_cast<std::size_t>(engine.layout().size()));
    }
    ranks.barrier("arrays are there");
    collect(engine, trained.state);
    ranks.barrier("arrays are filled");
    if (ranks.is_root()) {
      const auto history = engine.time_sampler().state();
      trained.history.assign(history.begin(), history.end());
      trained.losses = mine.losses;
      trained.grad_norms = mine.grad_norms;
    }
  });
  return trained;
}

const Trained& one_rank() {
  static const Trained trained = train({});
  return trained;
}

class SameBits : public testing::TestWithParam<std::tuple<int, int, bool>> {};

TEST_P(SameBits, AsOneRank) {
  const auto [ranks, stage, overlap] = GetParam();
  const Trained trained =
      train({.ranks = ranks, .zero = {.stage = static_cast<ZeroStage>(stage), .overlap = overlap}});
  EXPECT_EQ(trained.losses, one_rank().losses);
  EXPECT_EQ(trained.grad_norms, one_rank().grad_norms);
  EXPECT_EQ(trained.history, one_rank().history);
  EXPECT_TRUE(trained.state == one_rank().state);
}

INSTANTIATE_TEST_SUITE_P(Meshes, SameBits,
                         testing::Combine(testing::Values(1, 2, 4, 8), testing::Range(0, 4),
                                          testing::Bool()),
                         [](const auto& one) {
                           return fmt::format("ranks{}_stage{}_{}", std::get<0>(one.param),
                                              std::get<1>(one.param),
                                              std::get<2>(one.param) ? "overlap" : "in_turn");
                         });

class SameBitsOfBaselines : public testing::TestWithParam<ModelConfig> {};

TEST_P(SameBitsOfBaselines, OnAnyRanksInEveryStage) {
  const Trained expected = train({.model = GetParam()});
  EXPECT_FALSE(expected.state == train({.model = GetParam()}, 3).state);
  for (const int ranks : {1, 2, 4}) {
    for (int stage = 0; stage < 4; ++stage) {
      const Trained trained = train(
          {.ranks = ranks, .zero = {.stage = static_cast<ZeroStage>(stage)}, .model = GetParam()});
      EXPECT_TRUE(trained == expected) << ranks << " ranks, stage " << stage;
    }
  }
}

TEST_P(SameBitsOfBaselines, InBf16) {
  const Trained expected = train({.dtype = DType::kBFloat16, .model = GetParam()}, 2);
  const Setting cut{.ranks = 2,
                    .zero = {.stage = ZeroStage::kWeights},
                    .dtype = DType::kBFloat16,
                    .model = GetParam()};
  EXPECT_TRUE(train(cut, 2) == expected);
}

// With all that goes with it.
ModelConfig ternary(ModelConfig model) {
  model.common().weights = {WeightForm::kTernary, true};
  return model;
}

ModelConfig sharing(ModelConfig model, ModulationForm form = ModulationForm::kAffine) {
  model.common().modulation = form;
  return model;
}

ModelConfig reading(ModelConfig model, TextForm form = TextForm::kCross) {
  model.common().text = {.form = form, .tokens = 5, .channels = 6, .dropout = 0.3f};
  return model;
}

// Linear attention in these stages.
ModelConfig linear(ModelConfig model, std::vector<AttentionForm> stages) {
  model.common().attention = {std::move(stages), {.groups = 2}};
  return model;
}

ModelConfig spatial(ModelConfig model, SpatialForm form) {
  model.common().spatial = {.form = form, .states = 4};
  return model;
}

std::string name_of_baseline(const testing::TestParamInfo<ModelConfig>& one) {
  const std::string name = one.param.name(), kind = name.substr(name.find(' ') + 1);
  const CommonConfig& common = one.param.common();
  return kind + (common.process.discrete() ? "" : "_flow") +
         (common.weights.form == WeightForm::kTernary ? "_ternary" : "") +
         (common.modulation == ModulationForm::kFull     ? ""
          : common.modulation == ModulationForm::kShared ? "_shared"
                                                         : "_affine") +
         (common.text.form == TextForm::kCross    ? "_text"
          : common.text.form == TextForm::kPooled ? "_pooled_text"
                                                  : "") +
         (common.attention.any_linear() ? "_linear" : "") +
         (common.spatial.form == SpatialForm::kOff    ? ""
          : common.spatial.form == SpatialForm::kReal ? "_spatial"
                                                      : "_complex");
}

const std::vector<AttentionForm> kLinearOutside{AttentionForm::kLinear, AttentionForm::kSoftmax,
                                                AttentionForm::kSoftmax, AttentionForm::kSoftmax,
                                                AttentionForm::kLinear};

INSTANTIATE_TEST_SUITE_P(
    Models, SameBitsOfBaselines,
    testing::Values(ModelConfig(tiny_mdtv2()), ModelConfig(tiny_dit()), of_a_flow(tiny_edt()),
                    of_a_flow(tiny_dit()), of_a_flow(tiny_lightning_dit()), ternary(tiny_edt()),
                    ternary(tiny_mdtv2()), ternary(tiny_lightning_dit()), sharing(tiny_edt()),
                    sharing(tiny_mdtv2()), sharing(ternary(tiny_lightning_dit())),
                    sharing(tiny_dit(), ModulationForm::kShared), reading(tiny_edt()),
                    reading(tiny_mdtv2()), reading(of_a_flow(tiny_dit())),
                    reading(tiny_edt(), TextForm::kPooled), ModelConfig(tiny_emmdit()),
                    ModelConfig(tiny_sequence()), linear(tiny_edt(), kLinearOutside),
                    linear(ternary(tiny_dit()), {AttentionForm::kLinear}),
                    spatial(tiny_edt(), SpatialForm::kReal),
                    spatial(tiny_dit(), SpatialForm::kComplex)),
    name_of_baseline);

// What is run twice gives what it gave before.
TEST(SameBitsOfRecompute, WithLinearAttentionAndSpatialLayers) {
  for (const ModelConfig& model :
       {linear(tiny_edt(), kLinearOutside),
        linear(spatial(tiny_dit(), SpatialForm::kComplex), {AttentionForm::kLinear})}) {
    const Trained expected = train({.model = model}, 2);
    for (const Recompute recompute : {Recompute::kLeast, Recompute::kSelective, Recompute::kFull}) {
      EXPECT_TRUE(train({.model = model, .recompute = recompute}, 2) == expected) << model.name();
    }
  }
}

// The layers are a part of their own, so that all other weights begin as without them, and hand
// their input through until they have learnt something.
TEST(SpatialLayers, BeginAsTheIdentity) {
  for (const SpatialForm form : {SpatialForm::kReal, SpatialForm::kComplex}) {
    const Trained with = train({.model = spatial(tiny_edt(), form)});
    EXPECT_EQ(with.losses[0], one_rank().losses[0]);
    EXPECT_EQ(with.losses[1], one_rank().losses[1]);  // of the masked pass
    // Gates begin at zero, too: the third step's gradient is the first that arrives.
    EXPECT_NE(with.losses.back(), one_rank().losses.back());
  }
}

// Of two lengths; the first step's weights are the first average.
TEST(SameBitsOfAverages, OnAnyRanksInEveryStage) {
  const std::vector<double> lengths{0.05, 0.1};
  const Trained expected = train({.averages = lengths});
  EXPECT_TRUE(std::equal(one_rank().state.begin(), one_rank().state.end(), expected.state.begin()));
  EXPECT_FALSE(expected.state[6] == expected.state[7]);
  EXPECT_FALSE(expected.state[6] == expected.state[0]);
  for (const int ranks : {1, 2, 4, 8}) {
    for (int stage = 0; stage < 4; ++stage) {
      const Trained trained = train(
          {.ranks = ranks, .zero = {.stage = static_cast<ZeroStage>(stage)}, .averages = lengths});
      EXPECT_TRUE(trained == expected) << ranks << " ranks, stage " << stage;
    }
  }
  const Trained first = train({.averages = lengths}, 1);
  EXPECT_TRUE(first.state[6] == first.state[0]);
}

// With what trains beside, one after the other.
class SameBitsOfCompanions : public testing::TestWithParam<const char*> {
 protected:
  static AuxiliaryConfig companion() {
    AuxiliaryConfig config;
    const std::string_view name = GetParam();
    if (name == "features" || name == "both_alignments") {
      config.features = FeatureAlignmentConfig{.arrays = {{"a", 12}, {"b", 7}}, .projector = 24};
    }
    if (name.starts_with("latent") || name == "both_alignments") {
      config.latent = LatentAlignmentConfig{};
    }
    if (name == "latent_of_both") config.latent->pass = CompanionPass::kBoth;
    if (name.ends_with("teacher")) config.teacher = TeacherAlignmentConfig{};
    if (name.starts_with("prototypes")) {
      config.prototypes = PrototypeAlignmentConfig{.prototypes = 24, .width = 8};
    }
    if (name == "distilled") config.distillation = distilled_from(tiny_edt(8), 1, 10);
    // The bound is down in the third of four steps.
    if (name == "pruned") {
      config.sparsity = SparsityConfig{.rules = {.target = 0.7, .hidden_multiple = 4},
                                       .decided_by = 3,
                                       .macs = total_macs(forward_gemms(tiny_edt(), 1))};
    }
    return config;
  }
};

TEST_P(SameBitsOfCompanions, OnAnyRanksInEveryStage) {
  const Trained expected = train({.auxiliary = companion()});
  EXPECT_FALSE(expected.losses == one_rank().losses);
  for (const int ranks : {1, 2, 4}) {
    for (int stage = 0; stage < 4; ++stage) {
      const Trained trained = train({.ranks = ranks,
                                     .zero = {.stage = static_cast<ZeroStage>(stage)},
                                     .auxiliary = companion()});
      EXPECT_TRUE(trained == expected) << ranks << " ranks, stage " << stage;
    }
  }
}

TEST_P(SameBitsOfCompanions, InBf16) {
  const Trained expected = train({.dtype = DType::kBFloat16, .auxiliary = companion()}, 2);
  const Setting cut{.ranks = 2,
                    .zero = {.stage = ZeroStage::kWeights},
                    .dtype = DType::kBFloat16,
                    .auxiliary = companion()};
  EXPECT_TRUE(train(cut, 2) == expected);
}

INSTANTIATE_TEST_SUITE_P(Each, SameBitsOfCompanions,
                         testing::Values("latent", "latent_of_both", "features", "both_alignments",
                                         "teacher", "latent_and_teacher", "distilled", "pruned",
                                         "prototypes", "prototypes_and_teacher"),
                         [](const auto& one) { return std::string(one.param); });

// Gates that shut from the first step on, beside a masked pass or one of the complete network,
// which ends after the second of four steps.
class SameBitsOfGates : public testing::TestWithParam<std::tuple<ModelConfig, int>> {
 protected:
  static Setting gated(int ranks = 1, int stage = 0) {
    Setting setting{.ranks = ranks, .zero = {.stage = static_cast<ZeroStage>(stage)}};
    setting.model = std::get<0>(GetParam());
    setting.model.common().gates = {.target = 0.5, .router_bias = 0.5, .token_bias = 0.5};
    setting.auxiliary.flop_target = FlopTargetConfig{.target = 0.5, .warmup = 2};
    setting.complete_steps = std::get<1>(GetParam());
    return setting;
  }
};

TEST_P(SameBitsOfGates, OnAnyRanksInEveryStage) {
  const Trained expected = train(gated());
  EXPECT_FALSE(expected.state == train(gated(), 3).state);
  for (const int ranks : {1, 2, 4}) {
    for (int stage = 0; stage < 4; ++stage) {
      EXPECT_TRUE(train(gated(ranks, stage)) == expected) << ranks << " ranks, stage " << stage;
    }
  }
}

TEST_P(SameBitsOfGates, InBf16) {
  Setting whole = gated(), cut = gated(2, 3);
  whole.dtype = cut.dtype = DType::kBFloat16;
  EXPECT_TRUE(train(cut) == train(whole));
}

std::string name_of_gated(const testing::TestParamInfo<std::tuple<ModelConfig, int>>& one) {
  const std::string name = std::get<0>(one.param).name().substr(5);
  return std::get<1>(one.param) > 0 ? name : name + "_masked";
}

INSTANTIATE_TEST_SUITE_P(Models, SameBitsOfGates,
                         testing::Values(std::tuple(ModelConfig(tiny_edt()), 0),
                                         std::tuple(ModelConfig(tiny_edt()), 2),
                                         std::tuple(ModelConfig(tiny_dit()), 2),
                                         std::tuple(of_a_flow(tiny_lightning_dit()), 2)),
                         name_of_gated);

// Two times in one picture, with the moving average as the teacher.
class SameBitsOfGroups : public testing::TestWithParam<ModelConfig> {};

TEST_P(SameBitsOfGroups, OnAnyRanksInEveryStage) {
  const AuxiliaryConfig sra{.teacher = TeacherAlignmentConfig{.distance = Distance::kDirection}};
  const Trained plain = train({.model = GetParam(), .dual_time = 0.25});
  const Trained expected = train({.model = GetParam(), .auxiliary = sra, .dual_time = 0.25});
  EXPECT_FALSE(plain.losses == expected.losses);
  for (const int ranks : {1, 2, 4}) {
    for (int stage = 0; stage < 4; ++stage) {
      const Trained trained = train({.ranks = ranks,
                                     .zero = {.stage = static_cast<ZeroStage>(stage)},
                                     .model = GetParam(),
                                     .auxiliary = sra,
                                     .dual_time = 0.25});
      EXPECT_TRUE(trained == expected) << ranks << " ranks, stage " << stage;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SameBitsOfGroups,
                         testing::Values(of_a_flow(tiny_mdtv2()), of_a_flow(tiny_dit()),
                                         of_a_flow(tiny_lightning_dit())),
                         name_of_baseline);

// Texts are embedded once for both passes.
TEST(SameBitsOfTexts, WithSharedNoise) {
  const Setting shared{.model = reading(tiny_edt()), .shared_noise = true};
  const Trained expected = train(shared);
  for (const Recompute recompute : {Recompute::kLeast, Recompute::kFull}) {
    Setting other = shared;
    other.recompute = recompute;
    other.ranks = 2;
    EXPECT_TRUE(train(other) == expected);
  }
}

// A text is one for all groups of its picture.
TEST(SameBitsOfTexts, InGroups) {
  const ModelConfig model = reading(of_a_flow(tiny_mdtv2()));
  const Trained expected = train({.model = model, .dual_time = 0.25});
  for (const ZeroStage stage : {ZeroStage::kOptimizer, ZeroStage::kWeights}) {
    EXPECT_TRUE(train({.ranks = 2, .zero = {.stage = stage}, .model = model, .dual_time = 0.25}) ==
                expected);
  }
}

TEST(SameBitsGuard, TrainingMovesTheWeights) {
  EXPECT_FALSE(one_rank().state == train({}, 3).state);
  for (const auto& array : one_rank().state) {
    EXPECT_TRUE(std::ranges::any_of(array, [](float v) { return v != 0; }));
  }
}

TEST(SameBitsBf16, EveryStage) {
  const Trained expected = train({.dtype = DType::kBFloat16}, 2);
  for (int stage = 0; stage < 4; ++stage) {
    const Setting setting{
        .ranks = 2, .zero = {.stage = static_cast<ZeroStage>(stage)}, .dtype = DType::kBFloat16};
    EXPECT_TRUE(train(setting, 2) == expected) << stage;
  }
}

TEST(SameBitsBuckets, SizeDoesNotMatter) {
  const Setting small{.ranks = 2, .zero = {.stage = ZeroStage::kOptimizer, .bucket_elements = 1}};
  EXPECT_TRUE(train(small) == one_rank());
}

// Rounded on the wire: outside the promise, close all the same.
TEST(SameBitsBf16Wire, IsCloseButNotEqual) {
  const Trained rounded = train(
      {.ranks = 2, .zero = {.stage = ZeroStage::kGradients, .reduce_dtype = Wire::kBFloat16}});
  EXPECT_FALSE(rounded == one_rank());
  EXPECT_NEAR(rounded.losses.back(), one_rank().losses.back(), 1e-2 * one_rank().losses.back());
}

}  // namespace
}  // namespace edt
