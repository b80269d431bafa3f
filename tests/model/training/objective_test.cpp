// The shared-noise option and recompute against the plain way of computing the same gradient.
#include "model/training/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/reference/reference_backend.h"
#include "model/plan/gemms.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::tiny_dit, test::tiny_mdtv2;

EdtConfig tiny(bool mid_mask) {
  EdtConfig config = test::tiny_edt(8);
  config.mid_mask = mid_mask;
  return config;
}

// In the step that all tests take.
constexpr StepKey kKey{11, 5};

std::int64_t visible_tokens(const Mdtv2Config& config, StepKey key) {
  const MaskSpec spec{"dropped", config.patches().tokens(), config.mask_ratio.low,
                      config.mask_ratio.high};
  return config.visible_tokens(mask_ratio(key, {spec}, 0));
}

// Per-sample terms of one pass.
struct PassLosses {
  std::vector<float> mse, vb;
};

// Of the rows from `first` on; empty where there are none.
PassLosses losses_of(const std::vector<float>& losses, std::size_t first, std::size_t count) {
  const std::size_t rows = losses.size() / 2;
  if (first >= rows) return {};
  const auto part = [&](std::size_t begin) {
    const auto from = losses.begin() + static_cast<std::ptrdiff_t>(begin);
    return std::vector<float>(from, from + static_cast<std::ptrdiff_t>(count));
  };
  return {part(first), part(rows + first)};
}

struct Outcome {
  std::vector<float> gradient;
  PassLosses full, masked;
  double flops = 0, recompute_flops = 0;
};

// The same model, trained on another process.
ModelConfig with(ModelConfig model, const ProcessConfig& process) {
  model.common().process = process;
  return model;
}

class ObjectiveTest : public testing::Test {
 protected:
  // All draws are keyed by position, so every call sees the same numbers.
  Outcome run(const ModelConfig& config, const ObjectiveConfig& objective_config,
              Recompute recompute = Recompute::kNone) {
    constexpr std::int64_t kBatch = 3;
    const auto made = make_model(config, *backend_, DType::kFloat32);
    Model& model = *made;
    model.set_recompute(recompute);
    std::vector<std::vector<float>> memory;
    std::size_t index = 0;
    for (Parameter& parameter : model.parameters().all()) {
      const auto n = static_cast<std::size_t>(parameter.shape.elements());
      memory.emplace_back(n);
      // Not the initial weights: zeros there would hide most of the network.
      random::fill_normal({.seed = 9, .sample = static_cast<std::uint32_t>(index++)},
                          memory.back());
      for (float& v : memory.back()) v *= 0.2f;
      parameter.value = view_of(std::span(memory.back()), parameter.shape);
      memory.emplace_back(n, NAN);
      parameter.grad = view_of(std::span(memory.back()), parameter.shape);
    }
    Arena arena(backend_->memory());
    Profiler profiler;
    Tape tape(*backend_, arena, profiler, DType::kFloat32);
    Objective objective(model, *backend_, objective_config, kBatch);
    std::vector<float> latents(static_cast<std::size_t>(kBatch * 4 * 16 * 16));
    random::fill_normal({.seed = 3}, latents);
    const std::vector<std::int32_t> labels{0, 3, 1}, positions{4, 0, 7};
    const std::vector<double> times{0, 0.4, 0.999};
    const std::vector<float> weights{1.f, 0.5f, 2.f};
    const std::int64_t rows = objective.rows();
    const auto terms = static_cast<std::int64_t>(objective.terms().size());
    std::vector<float> losses(static_cast<std::size_t>(terms * rows));
    objective.prepare(kKey, {latents, labels, positions, times, weights});
    objective.run(tape, 0.25, view_of(std::span(losses), {terms, rows}));
    losses.resize(static_cast<std::size_t>(2 * rows));  // without the bound it is zero

    Outcome result{{},
                   losses_of(losses, 0, kBatch),
                   losses_of(losses, kBatch, kBatch),
                   profiler.total_flops(),
                   profiler.total_recompute_flops()};
    for (const Parameter& parameter : model.parameters().all()) {
      const auto grad = parameter.grad.span<float>();
      result.gradient.insert(result.gradient.end(), grad.begin(), grad.end());
    }
    return result;
  }

  static double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
    double difference = 0, largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      difference = std::max(difference, std::fabs(double(a[i]) - b[i]));
      largest = std::max(largest, std::fabs(double(b[i])));
    }
    return std::isfinite(difference) ? difference / largest : INFINITY;
  }

  std::unique_ptr<Backend> backend_ = make_reference_backend();
};

TEST_F(ObjectiveTest, RecomputeGivesTheSameBits) {
  const ProcessConfig flow = ProcessConfig::flow();
  for (const ModelConfig& model : {ModelConfig(tiny(true)),
                                   {tiny_mdtv2()},
                                   {tiny_dit()},
                                   with(tiny(true), flow),
                                   with(tiny_mdtv2(), flow),
                                   with(tiny_dit(), flow)}) {
    const ObjectiveConfig objective{.masked = model.passes().masked()};
    const Outcome plain = run(model, objective);
    for (const Recompute recompute : {Recompute::kSelective, Recompute::kFull}) {
      const Outcome again = run(model, objective, recompute);
      EXPECT_EQ(again.gradient, plain.gradient) << model.name();
      EXPECT_EQ(again.full.mse, plain.full.mse) << model.name();
      EXPECT_EQ(again.flops, plain.flops) << model.name();
      EXPECT_GT(again.recompute_flops, 0) << model.name();
    }
  }
}

// The masked pass with shared noise sees what a full pass alone would see before its first mask, so
// with masks that keep everything both passes are the same and the gradient is twice that of one.
TEST_F(ObjectiveTest, SharedNoiseWithoutEffectOfMasksDoublesTheGradient) {
  for (const bool mid_mask : {false, true}) {
    EdtConfig config = tiny(mid_mask);
    config.first_down_mask = config.later_down_mask = config.mid_mask_range = {0, 0};
    const Outcome shared = run(config, {.masked = true, .shared_noise = true});
    Outcome single = run(config, {.masked = false});
    EXPECT_EQ(shared.full.mse, single.full.mse);
    EXPECT_EQ(shared.masked.mse, single.full.mse);
    for (float& g : single.gradient) g *= 2;
    EXPECT_LE(relative_error(shared.gradient, single.gradient), 1e-5);  // order of summation
    EXPECT_LT(shared.flops, 2 * single.flops);
  }
}

TEST_F(ObjectiveTest, SharedNoiseChangesOnlyTheMaskedPass) {
  const Outcome separate = run(tiny(false), {});
  const Outcome shared = run(tiny(false), {.masked = true, .shared_noise = true});
  EXPECT_EQ(shared.full.mse, separate.full.mse);
  EXPECT_EQ(shared.full.vb, separate.full.vb);
  EXPECT_NE(shared.masked.mse, separate.masked.mse);
}

TEST_F(ObjectiveTest, FlopsAreThoseOfTheMatrixProducts) {
  const EdtConfig config = tiny(false);
  const auto expect = [this](const ModelConfig& model, const ObjectiveConfig& objective) {
    PlannedStep step{{model}};
    step.engine.micro_batch = step.engine.batch = 3;
    step.engine.objective = objective;
    EXPECT_EQ(run(model, objective).flops, total_flops(training_gemms(step))) << model.name();
  };
  expect(config, {});
  expect(config, {.masked = false});
  expect(config, {.masked = true, .shared_noise = true});
  Mdtv2Config mdtv2 = tiny_mdtv2();
  mdtv2.mask_ratio = {0.4f, 0.4f};
  expect(mdtv2, {});
  expect(mdtv2, {.masked = false});
  expect(tiny_dit(), {.masked = false});
  // Two gradients for each product, but for the inputs of the network.
  const double forward = total_flops(forward_gemms(config, 3));
  const double whole = run(config, {.masked = false}).flops;
  EXPECT_LT(whole, 3 * forward);
  EXPECT_GT(whole, 2.97 * forward);
}

// A full pass is the same whatever the masked pass beside it drops.
TEST_F(ObjectiveTest, TokensDroppedChangeOnlyTheMaskedPass) {
  Mdtv2Config many = tiny_mdtv2(), few = tiny_mdtv2();
  few.mask_ratio = {0.1f, 0.2f};
  const Outcome a = run(many, {}), b = run(few, {}), alone = run(many, {.masked = false});
  EXPECT_EQ(a.full.mse, b.full.mse);
  EXPECT_NE(a.masked.mse, b.masked.mse);
  EXPECT_LE(relative_error({a.full.mse.begin(), a.full.mse.end()}, alone.full.mse), 1e-6);
  EXPECT_LT(a.flops, b.flops);
}

// Steps keep other numbers of tokens; the memory of a step stays where and as large as it is.
TEST_F(ObjectiveTest, ChangingTokenCountsKeepTheArena) {
  const Mdtv2Config config = tiny_mdtv2();
  for (const Recompute recompute : {Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
    const auto model = make_model(config, *backend_, DType::kFloat32);
    model->set_recompute(recompute);
    std::vector<std::vector<float>> memory;
    for (Parameter& parameter : model->parameters().all()) {
      for (Tensor* tensor : {&parameter.value, &parameter.grad}) {
        memory.emplace_back(static_cast<std::size_t>(parameter.shape.elements()), 0.01f);
        *tensor = view_of(std::span(memory.back()), parameter.shape);
      }
    }
    Arena arena(backend_->memory());
    Profiler profiler;
    Tape tape(*backend_, arena, profiler, DType::kFloat32);
    Objective objective(*model, *backend_, {}, 2);
    const std::vector<float> latents(2 * 4 * 16 * 16, 0.5f), weights{1, 1};
    const std::vector<std::int32_t> labels{0, 3}, positions{0, 1};
    const std::vector<double> times{0.009, 0.9};
    std::vector<float> losses(2 * 4);
    std::set<std::int64_t> visible;
    std::set<std::size_t> peaks;
    for (std::uint32_t step = 0; step < 12; ++step) {
      for (Parameter& parameter : model->parameters().all()) parameter.grad_written = false;
      arena.reset_peak();
      objective.prepare({1, step}, {latents, labels, positions, times, weights});
      objective.run(tape, 1, view_of(std::span(losses), {2, 4}));
      visible.insert(visible_tokens(config, {1, step}));
      peaks.insert(arena.peak_bytes());
    }
    EXPECT_GT(visible.size(), 4u);
    EXPECT_EQ(peaks.size(), 1u);
  }
}

// The last layer gives half as much, so the gradient has fewer elements; and each is a number.
TEST_F(ObjectiveTest, EveryPredictionIsTrained) {
  for (const ProcessConfig& process :
       {ProcessConfig::flow(), ProcessConfig::flow(FlowPath::kCosine),
        ProcessConfig{.prediction = PredictionType::kOrigin},
        ProcessConfig{.prediction = PredictionType::kVelocity},
        ProcessConfig{.learnt_variance = false}}) {
    const Outcome outcome = run(with(tiny(false), process), {});
    EXPECT_LT(outcome.gradient.size(), run(tiny(false), {}).gradient.size());
    double largest = 0;
    for (const float g : outcome.gradient) {
      ASSERT_TRUE(std::isfinite(g));
      largest = std::max(largest, std::fabs(double{g}));
    }
    EXPECT_GT(largest, 0);
    for (const float mse : outcome.full.mse) EXPECT_GT(mse, 0);
    EXPECT_NE(outcome.full.mse, outcome.masked.mse);
  }
}

// Without the variance, the squared error of the noise and its gradient are what they are with it.
TEST_F(ObjectiveTest, TheErrorOfTheNoiseIsTheSameWithoutTheBound) {
  const Outcome bounded = run(tiny_dit(), {.masked = false});
  const Outcome plain = run(with(tiny_dit(), {.learnt_variance = false}), {.masked = false});
  EXPECT_EQ(plain.full.vb, std::vector<float>(3, 0.f));
  EXPECT_EQ(plain.full.mse.size(), bounded.full.mse.size());
}

// Each term has its own weight, and they add up.
TEST_F(ObjectiveTest, TermsAddUpByTheirWeights) {
  const ModelConfig model = with(tiny_dit(), ProcessConfig::flow());
  const auto gradient = [&](double weight) {
    return run(model, {.masked = false, .loss = {.direction_weight = weight}}).gradient;
  };
  const std::vector<float> none = gradient(0), once = gradient(1);
  std::vector<float> half = none;
  for (std::size_t i = 0; i < half.size(); ++i) half[i] += 0.5f * (once[i] - none[i]);
  EXPECT_LE(relative_error(gradient(0.5), half), 1e-5);
  EXPECT_GT(relative_error(once, none), 1e-3);
}

TEST_F(ObjectiveTest, RefusesCombinationsWithoutMeaning) {
  EdtConfig flat = tiny(false);
  flat.depths = {1};
  flat.widths = {8};
  flat.heads = {2};
  EXPECT_THROW(run(flat, {.masked = true}), UsageError);
  EXPECT_THROW(run(tiny(false), {.masked = false, .shared_noise = true}), UsageError);
  EXPECT_THROW(run(tiny_mdtv2(), {.masked = true, .shared_noise = true}), UsageError);
  EXPECT_THROW(run(tiny_dit(), {.masked = true}), UsageError);
  EXPECT_THROW(run(tiny_dit(), {.masked = false, .loss = {.direction_weight = 1}}), UsageError);
}

}  // namespace
}  // namespace edt
