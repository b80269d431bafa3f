// Pruning as a part of a step, what it decides, and the smaller model that it makes. Values:
// tests/golden/unit_mask_test.cpp.
#include "model/auxiliary/sparsity.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "core/reference/reference_backend.h"
#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "model/pruning/cut.h"
#include "model/weights.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/model/auxiliary/stepped.h"
#include "tests/support/distilled.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::step, test::Stepped, test::term, test::message_of, test::recipe_beside, test::tiny_dit,
    test::tiny_edt, test::tiny_lightning_dit;
using testing::HasSubstr;

constexpr MaskConfig kBoth{true, true, 0.9};

std::vector<ModelConfig> prunable() { return {tiny_edt(), tiny_dit(), tiny_lightning_dit()}; }

SparsityConfig pruned_to(const ModelConfig& model, double target) {
  SparsityConfig config;
  config.rules = {.target = target, .hidden_multiple = 4};
  config.decided_by = 75;
  config.macs = total_macs(forward_gemms(model, 1));
  return config;
}

TrainingRecipe recipe_of(const ModelConfig& model, double target) {
  return recipe_beside(model, {.sparsity = pruned_to(model, target)});
}

UnitDecisions decisions_of(const ModelConfig& model, double target) {
  const SparsityConfig config = pruned_to(model, target);
  return {unit_layers(model, kBoth), config.macs, config.rules};
}

std::size_t units_of(const UnitDecisions& decisions) { return decisions.factors().size(); }

// Weights that differ from unit to unit, spread over [low, high).
std::vector<float> spread(std::size_t units, double low, double high) {
  std::vector<float> weights(units);
  for (std::size_t u = 0; u < units; ++u) {
    weights[u] = static_cast<float>(low + (high - low) * static_cast<double>(u * 37 % units) /
                                              static_cast<double>(units));
  }
  return weights;
}

TEST(UnitDecisions, ReachTheTargetWhateverTheWeights) {
  for (const ModelConfig& model : prunable()) {
    for (const double target : {0.9, 0.6, decisions_of(model, 1).least_share()}) {
      UnitDecisions decisions = decisions_of(model, target);
      const std::vector<float> weights = spread(units_of(decisions), 0.85, 0.95);
      for (int i = 1; i <= 100 && !decisions.done(); ++i) decisions.advance(i / 100.0, weights);
      ASSERT_TRUE(decisions.done());
      EXPECT_LE(decisions.share(), target) << model.name();
      EXPECT_GT(decisions.share(), target - 0.12) << model.name();  // a head is that much
    }
  }
}

// The share that is counted by units is what the smaller model multiplies.
TEST(UnitDecisions, CountWhatTheSmallerModelMultiplies) {
  for (const ModelConfig& model : prunable()) {
    UnitDecisions decisions = decisions_of(model, 0.6);
    const std::vector<float> weights = spread(units_of(decisions), -1.5, 1.5);
    for (int i = 1; i <= 100 && !decisions.done(); ++i) decisions.advance(i / 100.0, weights);
    const UnitCut cut(model, decisions.layers(), decisions.factors(), decisions.stays());
    const double macs = total_macs(forward_gemms(cut.model(), 1));
    EXPECT_NEAR(macs / total_macs(forward_gemms(model, 1)), decisions.share(), 1e-12)
        << model.name();
  }
}

TEST(UnitDecisions, LeaveTheLeastAndAMultiple) {
  const ModelConfig model = tiny_edt();
  UnitDecisions decisions = decisions_of(model, decisions_of(model, 1).least_share());
  const std::vector<float> weights(units_of(decisions), -2.f);
  decisions.advance(0.02, weights);
  ASSERT_TRUE(decisions.done());
  std::size_t unit = 0;
  for (const UnitLayer& layer : decisions.layers()) {
    const auto begin = decisions.stays().begin() + static_cast<std::ptrdiff_t>(unit);
    const std::int64_t left = std::count(begin, begin + layer.units, true);
    EXPECT_GE(static_cast<double>(left), 0.15 * static_cast<double>(layer.units)) << layer.name();
    if (layer.kind == UnitKind::kHidden) {
      EXPECT_EQ(left % 4, 0) << layer.name();
    }
    unit += static_cast<std::size_t>(layer.units);
  }
}

// What leaves the band upwards keeps the factor that it had there; what is decided keeps it for
// good.
TEST(UnitDecisions, FactorsDoNotJumpWhereTheBoundFalls) {
  UnitDecisions decisions = decisions_of(tiny_dit(), 0.5);
  const std::vector<float> weights = spread(units_of(decisions), 0.2, 0.95);
  ASSERT_FALSE(decisions.advance(0.001, weights));  // looks, before the first update
  std::vector<float> before = decisions.factors();
  int folded = 0;
  for (int i = 1; !decisions.done() && i <= 100; ++i) {
    const std::vector<float> bounds_before = decisions.state();
    if (!decisions.advance(i / 100.0, weights)) continue;
    const std::vector<float> state = decisions.state();
    for (std::size_t u = 0; u < weights.size(); ++u) {
      const bool above_now = state[u] >= 0 && weights[u] > state[u],
                 was_within = weights[u] <= bounds_before[u];
      if (!above_now || !was_within) continue;
      EXPECT_FLOAT_EQ(decisions.factors()[u], before[u]);
      EXPECT_FLOAT_EQ(state[weights.size() + u], before[u]);  // its scale
      ++folded;
    }
    before = decisions.factors();
  }
  EXPECT_GT(folded, 50);
}

TEST(UnitDecisions, GoOnFromTheirState) {
  UnitDecisions one = decisions_of(tiny_edt(), 0.6), other = decisions_of(tiny_edt(), 0.6);
  const std::vector<float> weights = spread(units_of(one), -0.5, 0.95);
  for (int i = 1; i <= 30; ++i) one.advance(i / 100.0, weights);
  other.restore(one.state());
  for (int i = 31; i <= 100; ++i) {
    one.advance(i / 100.0, weights), other.advance(i / 100.0, weights);
  }
  EXPECT_EQ(one.state(), other.state());
  EXPECT_TRUE(other.done());
}

// A forward pass of a model, with weights in a flat layout.
class Passed {
 public:
  Passed(const ModelConfig& config, DType dtype, std::unique_ptr<Backend> backend)
      : backend_(std::move(backend)),
        arena_(backend_->memory()),
        tape_(*backend_, arena_, profiler_, dtype),
        model_(make_model(config, *backend_, dtype)),
        layout_(FlatLayout::of(parameter_pointers(model_->parameters()), 16)),
        weights_(static_cast<std::size_t>(layout_.size())) {}

  // All of them drawn, gates and final layer too, which begin at zero.
  void draw() {
    random::fill_normal({.seed = 9}, weights_);
    for (float& weight : weights_) weight *= 0.2f;
  }
  std::span<float> tensor(std::string_view name) {
    const FlatTensor& one = layout_.tensor(layout_.find(name));
    return std::span(weights_).subspan(static_cast<std::size_t>(one.offset),
                                       static_cast<std::size_t>(one.elements()));
  }
  const FlatLayout& layout() const { return layout_; }
  Model& model() { return *model_; }

  std::vector<double> run() {
    const BoundWeights bound(*backend_, model_->parameters(), layout_, weights_, tape_.dtype());
    const LatentShape& s = model_->latents();
    const Tensor image = input({2, s.channels, s.height, s.width}, 7);
    const Tensor t = input({2}, 8);
    Tensor labels{nullptr, {2}, DType::kInt32};
    labels.data = memory_.emplace_back(backend_->memory(), labels.bytes()).data();
    labels.as<std::int32_t>()[0] = 0, labels.as<std::int32_t>()[1] = 3;
    const Tape::NoGrad inference(tape_);
    std::vector<double> values;
    {
      const Var out = model_->forward(tape_, {image, t, labels});
      for (std::int64_t i = 0; i < out.tensor().elements(); ++i) {
        values.push_back(out.dtype() == DType::kFloat64 ? out.tensor().as<double>()[i]
                                                        : out.tensor().as<float>()[i]);
      }
    }
    tape_.clear();
    return values;
  }

 private:
  Tensor input(const Shape& shape, std::uint64_t seed) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    random::fill_normal({.seed = seed}, values);
    Tensor to{nullptr, shape, tape_.accurate_dtype()};
    to.data = memory_.emplace_back(backend_->memory(), to.bytes()).data();
    backend_->upload_floats(values, to);
    return to;
  }

  std::unique_ptr<Backend> backend_;
  Arena arena_;
  Profiler profiler_;
  Tape tape_;
  std::unique_ptr<Model> model_;
  FlatLayout layout_;
  std::vector<float> weights_;
  std::deque<Block> memory_;
};

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i])), norm = std::max(norm, std::abs(a[i]));
  }
  return largest / norm;
}

struct Factors {
  std::vector<float> of_units;
  std::vector<bool> stays;
};

// Of three units in turn one is gone, one has the factor 0.7, one 1: hard ones have no such.
Factors factors_of(const std::vector<UnitLayer>& layers, bool hard) {
  Factors made;
  for (const UnitLayer& layer : layers) {
    for (std::int64_t u = 0; u < layer.units; ++u) {
      const bool is_gone = layer.units > 1 && u % 3 == 1;
      made.of_units.push_back(is_gone ? 0.f : u % 3 == 2 && !hard ? 0.7f : 1.f);
      made.stays.push_back(!is_gone);
    }
  }
  return made;
}

// The masked model, the whole one with the masks in its weights, and the smaller one.
struct Versions {
  std::vector<double> masked, folded, cut;
};

Versions versions_of(const ModelConfig& config, DType dtype, bool hard,
                     std::unique_ptr<Backend> (*make_backend)()) {
  const std::vector<UnitLayer> layers = unit_layers(config, kBoth);
  const Factors factors = factors_of(layers, hard);
  ModelConfig with_masks = config;
  with_masks.common().masks = kBoth;
  Passed whole(config, dtype, make_backend()), masked(with_masks, dtype, make_backend());
  whole.draw();
  for (const FlatTensor& tensor : whole.layout().tensors()) {
    std::ranges::copy(whole.tensor(tensor.name), masked.tensor(tensor.name).begin());
  }
  std::size_t first = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {  // decided: scales alone
    const auto units = static_cast<std::size_t>(layers[i].units);
    std::vector<float> band(3 * units, -1.f);
    std::copy_n(factors.of_units.begin() + static_cast<std::ptrdiff_t>(first), units,
                band.begin() + static_cast<std::ptrdiff_t>(units));
    masked.model().unit_masks()->set_band(i, band);
    first += units;
  }
  const UnitCut cut(config, layers, factors.of_units, factors.stays);
  Passed smaller(cut.model(), dtype, make_backend());
  for (const FlatTensor& tensor : whole.layout().tensors()) {
    cut.fold(tensor.name, tensor.shape, whole.tensor(tensor.name));
    const auto left = cut.cut(tensor.name, tensor.shape, whole.tensor(tensor.name));
    const std::span<float> to = smaller.tensor(tensor.name);
    EXPECT_EQ(left.size(), to.size()) << tensor.name;
    std::ranges::copy(left, to.begin());
  }
  return {masked.run(), whole.run(), smaller.run()};
}

// Hard masks: what is left out adds zeros, which changes no sum.
TEST(UnitCut, HasTheBitsOfHardMasksOnTheReference) {
  for (const ModelConfig& config : prunable()) {
    const Versions at = versions_of(config, DType::kFloat32, true, make_reference_backend);
    EXPECT_EQ(at.folded, at.cut) << config.name();
    const Versions exact = versions_of(config, DType::kFloat64, true, make_reference_backend);
    EXPECT_EQ(exact.masked, exact.cut) << config.name();
  }
}

// Factors move into weights, which are float32: rounding is all that differs.
TEST(UnitCut, ComputesWhatMasksDo) {
  for (const ModelConfig& config : prunable()) {
    const Versions exact = versions_of(config, DType::kFloat64, false, make_reference_backend);
    EXPECT_LT(largest_difference(exact.masked, exact.folded), 1e-6) << config.name();
    EXPECT_EQ(exact.folded, exact.cut) << config.name();
    const Versions fast = versions_of(config, DType::kFloat32, false, make_cpu_backend);
    EXPECT_LT(largest_difference(fast.masked, fast.cut), 3e-6) << config.name();
    EXPECT_LT(largest_difference(exact.cut, fast.cut), 1e-5) << config.name();
  }
}

TEST(Sparsity, IsATermThatFallsUntilAllIsDecided) {
  for (const ModelConfig& model : prunable()) {
    TrainingRecipe recipe = recipe_of(model, 0.6);
    recipe.engine.optimizer = AdamWConfig{};
    recipe.engine.rate.initial = 0.1;
    const double first = term(step(recipe).report, "sparsity"),
                 later = term(step(recipe, 10).report, "sparsity");
    EXPECT_GT(first, 0.5) << model.name();
    EXPECT_LT(later, first) << model.name();
    const Stepped last = step(recipe, 76);
    EXPECT_EQ(term(last.report, "sparsity"), 0) << model.name();
    UnitDecisions decisions = decisions_of(model, 0.6);
    decisions.restore(last.state);
    EXPECT_TRUE(decisions.done());
    EXPECT_LE(decisions.share(), 0.6) << model.name();
  }
}

TEST(Sparsity, IsTheSameWithRecomputation) {
  test::expect_the_same_with_recomputation(recipe_of(tiny_edt(), 0.6));
  TrainingRecipe recipe = recipe_of(tiny_lightning_dit(), 0.6);
  const Stepped plain = step(recipe, 2);
  for (const Recompute recompute : {Recompute::kLeast, Recompute::kSelective, Recompute::kFull}) {
    recipe.engine.recompute = recompute;
    EXPECT_EQ(step(recipe, 2).weights, plain.weights);
  }
}

// A smaller model trains, at the products that were counted, and on two tensor ranks that divide
// what is left.
TEST(UnevenBlocks, TrainOverTensorRanks) {
  DitConfig config = tiny_lightning_dit();
  config.heads = 4;
  config.kept = {{2, 4}, {20, 12}};
  EXPECT_EQ(config.tensor_degrees(), (std::vector<int>{1, 2}));
  const TrainingRecipe recipe = recipe_beside(config, {});
  const Stepped one = step(recipe, 3);
  std::vector<double> losses(2);
  run_ranks(2, [&](Communicator& ranks) {
    losses[static_cast<std::size_t>(ranks.rank())] = step(recipe, 3, 0, {&ranks}).report.loss;
  });
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_NEAR(losses[0], one.report.loss, 1e-5);
}

TEST(Sparsity, RefusesWhatCannotBePruned) {
  const auto refusal = [](const ModelConfig& model, AuxiliaryConfig companions) {
    return message_of<UsageError>(
        [&] { check_companions(companions, model, {.masked = model.passes().masked()}); });
  };
  const SparsityConfig asked = pruned_to(tiny_dit(), 0.6);
  EXPECT_EQ(refusal(test::tiny_mdtv2(), {.sparsity = asked}),
            "[prune] prune.target is 0.6, and blocks of tiny MDTv2 cannot lose units: those of EDT "
            "and DiT can");
  EXPECT_THAT(refusal(test::tiny_emmdit(), {.sparsity = asked}), HasSubstr("cannot lose units"));
  ModelConfig ternary = tiny_dit();
  ternary.common().weights.form = WeightForm::kTernary;
  EXPECT_THAT(refusal(ternary, {.sparsity = asked}), HasSubstr("model.weights is ternary"));
  ModelConfig linear = tiny_dit();
  linear.common().attention.stages = {AttentionForm::kLinear};
  EXPECT_THAT(refusal(linear, {.sparsity = asked}), HasSubstr("prune.units hidden"));
  EXPECT_THAT(refusal(tiny_dit(), {.teacher = TeacherAlignmentConfig{}, .sparsity = asked}),
              HasSubstr("align.with names teacher"));
  EXPECT_THAT(refusal(tiny_dit(), {.sparsity = pruned_to(tiny_dit(), 0.1)}),
              HasSubstr("of the products of tiny DiT stay at the least"));
}

TEST(UnevenBlocks, AreCheckedByBlock) {
  const auto refusal = [](auto config, UnitCounts kept) {
    config.kept = std::move(kept);
    return message_of<UsageError>([&] { config.validate(); });
  };
  EXPECT_EQ(refusal(tiny_dit(), {{1}, {}}),
            "[model] model.block-heads has 1 numbers, the model 2 blocks");
  EXPECT_EQ(refusal(tiny_dit(), {{1, 3}, {}}),
            "[model] model.block-heads is 3 for block 1, which has 2: 1 to 2 can be left");
  EXPECT_THAT(refusal(tiny_edt(), {{}, {0, 1, 1, 1, 1, 1}}), HasSubstr("block-hidden is 0"));
  EXPECT_THAT(refusal(test::tiny_mdtv2(), {{1, 1, 1, 1}, {}}), HasSubstr("are all alike"));
  EXPECT_THAT(refusal(test::tiny_emmdit(), {{}, {1}}), HasSubstr("are all alike"));
}

}  // namespace
}  // namespace edt
