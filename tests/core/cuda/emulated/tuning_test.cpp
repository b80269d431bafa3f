// Algorithms of products chosen by timing: which are chosen, and that a run takes those it is given
// and times nothing.
#include <gtest/gtest.h>

#include "core/ops/cases/case_inputs.h"
#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/cuda/linear_maps.h"
#include "tests/core/storage/expect_error.h"

namespace edt {
namespace {

using emulation::set_suggestions;
using emulation::Suggestion;
using Doubles = std::vector<double>;

// y = x W^T + b.
struct Linear {
  Linear(Backend& backend, DType dtype, std::int64_t outputs = 16) : inputs(backend, dtype) {
    x = inputs.tensor("x", {8, 24}, dtype);
    weight = inputs.tensor("weight", {outputs, 24}, dtype);
    bias = inputs.tensor("bias", {outputs}, dtype);
    y = inputs.output("y", {8, outputs}, dtype);
  }

  CaseInputs inputs;
  Tensor x, weight, bias, y;
};

Doubles forward(Backend& backend, DType dtype, std::int64_t outputs = 16) {
  const Linear linear(backend, dtype, outputs);
  backend.linear_forward(linear.x, linear.weight, linear.bias, {}, linear.y);
  return read_values(backend, linear.y);
}

class Tuning : public testing::TestWithParam<DType> {
 protected:
  ~Tuning() override {
    set_suggestions();
    emulation::set_seconds_of_epilogues(0);
  }

  static DType dtype() { return GetParam(); }

  GemmTuning tune(std::vector<Suggestion> suggestions) {
    set_suggestions(std::move(suggestions));
    GemmTuning tuning;
    forward(*make_cuda_backend({.tuning = &tuning}), dtype());
    return tuning;
  }
  // What was found for the product of forward(): for the one with its bias, where it can have that.
  // The other is the plain one, which the bias would be added to apart.
  static TunedGemm only(const GemmTuning& tuning) {
    EXPECT_LE(tuning.found.size(), 2);
    const auto fused = std::ranges::find(tuning.found, Epilogue::kBias,
                                         [](const auto& found) { return found.first.epilogue; });
    if (fused != tuning.found.end()) return fused->second;
    EXPECT_EQ(tuning.found.size(), 1);
    return tuning.found.empty() ? TunedGemm{} : tuning.found.begin()->second;
  }
  static Doubles values_with(const GemmTuning& given, std::int64_t outputs = 16) {
    return forward(*make_cuda_backend({.gemms = {"products.json", given.found}}), dtype(), outputs);
  }
};

// Results of the one and of the other order of sums.
constexpr Suggestion kFirst{.seconds = 1e-3};
constexpr Suggestion kFaster{.seconds = 0.5e-3, .rounds_each_term = true};

TEST_P(Tuning, TakesTheFastest) {
  const TunedGemm found = only(tune({kFirst, {.seconds = 0.7e-3}, kFaster, {.seconds = 0.6e-3}}));
  EXPECT_EQ(found.place, 2);
  EXPECT_EQ(found.candidates, 4);
  EXPECT_NEAR(found.first_seconds, 1e-3, 1e-8);
  EXPECT_NEAR(found.seconds, 0.5e-3, 1e-8);
}

TEST_P(Tuning, ShortProductsAreTimedManyAtATime) {
  const TunedGemm found = only(tune({{.seconds = 3e-6}, {.seconds = 2e-6}}));
  EXPECT_NEAR(found.first_seconds, 3e-6, 1e-10);
  EXPECT_NEAR(found.seconds, 2e-6, 1e-10);
}

TEST_P(Tuning, KeepsTheFirstWithinTheMargin) {
  EXPECT_EQ(only(tune({kFirst, {.seconds = 0.981e-3}})).place, 0);
  EXPECT_EQ(only(tune({kFirst, {.seconds = 0.979e-3}})).place, 1);
}

TEST_P(Tuning, DropsWhatIsRefusedWhenItRuns) {
  const TunedGemm found =
      only(tune({kFirst, {.seconds = 0.1e-3, .runs = false}, {.seconds = 0.5e-3}}));
  EXPECT_EQ(found.place, 2);
  EXPECT_EQ(found.candidates, 2);
}

TEST_P(Tuning, DropsWhatIsNotPossible) {
  const TunedGemm found = only(tune({kFirst, {.seconds = 0.1e-3, .possible = false}}));
  EXPECT_EQ(found.place, 0);
  EXPECT_EQ(found.candidates, 1);
}

// As docs/cuda.md promises: parts of k are added in float32.
TEST_P(Tuning, ExcludedReductionSchemesStayExcluded) {
  constexpr std::uint32_t kOutputType = 4;
  const bool excluded = dtype() == DType::kBFloat16;
  const TunedGemm found =
      only(tune({kFirst, {.seconds = 0.1e-3, .reduction_scheme = kOutputType}}));
  EXPECT_EQ(found.candidates, excluded ? 1 : 2);
}

TEST_P(Tuning, AsksForNoMoreThanItIsTold) {
  set_suggestions(std::vector<Suggestion>(9));
  GemmTuning tuning{.candidates = 5, .rounds = 2};
  forward(*make_cuda_backend({.tuning = &tuning}), dtype());
  EXPECT_EQ(only(tuning).candidates, 5);
  EXPECT_EQ(only(tuning).rounds, 2);
}

TEST_P(Tuning, RunsTakeTheAlgorithmsTheyAreGiven) {
  set_suggestions({kFirst});
  const Doubles first = forward(*make_cuda_backend(), dtype());
  set_suggestions({{.seconds = 1e-3, .rounds_each_term = true}});
  const Doubles others = forward(*make_cuda_backend(), dtype());
  ASSERT_NE(first, others);  // or this test could not tell

  const GemmTuning given = tune({kFirst, kFaster});
  set_suggestions({kFirst});
  EXPECT_EQ(values_with(given), others);
  EXPECT_EQ(values_with(given), others);
}

TEST_P(Tuning, RunsTimeNothing) {
  const GemmTuning given = tune({kFirst, kFaster});
  const int before = emulation::products_asked_for().calls;
  values_with(given);
  EXPECT_EQ(emulation::products_asked_for().calls - before, 1);
}

TEST_P(Tuning, OtherProductsTakeTheFirstSuggestion) {
  set_suggestions({kFirst, kFaster});
  const Doubles first = forward(*make_cuda_backend(), dtype(), 32);
  EXPECT_EQ(values_with(tune({kFirst, kFaster}), 32), first);
}

TEST_P(Tuning, WhatIsGivenIsNotTimedAgain) {
  const GemmTuning given = tune({kFirst, kFaster});
  GemmTuning again;
  forward(*make_cuda_backend({.gemms = {"products.json", given.found}, .tuning = &again}), dtype());
  EXPECT_TRUE(again.found.empty());
}

TEST_P(Tuning, AnAlgorithmThatTheLibraryDoesNotTakeEndsTheRun) {
  GemmTuning given = tune({kFirst, kFaster});
  for (auto& [key, found] : given.found) found.algorithm = {};
  EXPECT_ERROR(values_with(given), CudaError, "products.json", "product [8, 24] x [24, 16]");
}

// No other way is taken: it would have other bits.
TEST_P(Tuning, AnAlgorithmThatIsRefusedWhenItRunsEndsTheRun) {
  const GemmTuning given = tune({kFirst, kFaster});
  emulation::set_refusal_of_epilogues(true);
  EXPECT_ERROR(values_with(given), CudaError, "product [8, 24] x [24, 16]");
  emulation::set_refusal_of_epilogues(false);
}

// However often a product is timed, what it adds to is as after one run.
TEST_P(Tuning, LeavesTheResultsOfAStepAsTheyAre) {
  set_suggestions({kFirst, {.seconds = 0.5e-3}});
  const auto gradients = [](Backend& backend) {
    CaseInputs inputs(backend, dtype());
    const Tensor dy = inputs.tensor("dy", {8, 16}, dtype()),
                 x = inputs.tensor("x", {8, 24}, dtype());
    const Tensor weight = inputs.tensor("weight", {16, 24}, dtype());
    const Tensor dx = inputs.tensor("dx", {8, 24}, dtype());
    const Tensor dweight = inputs.tensor("dweight", {16, 24}, DType::kFloat32);
    const Tensor dbias = inputs.tensor("dbias", {16}, DType::kFloat32);
    backend.linear_backward_weight(dy, x, {dweight, true}, {dbias, true});
    backend.linear_backward_input(dy, weight, {dx, true});
    return std::array{read_values(backend, dweight), read_values(backend, dbias),
                      read_values(backend, dx)};
  };
  GemmTuning tuning;
  const auto timed = gradients(*make_cuda_backend({.tuning = &tuning}));
  EXPECT_EQ(tuning.found.size(), 3);  // with the weight's product alone
  EXPECT_EQ(timed, gradients(*make_cuda_backend()));
}

// One launch, with the bits of single products.
TEST_P(Tuning, ABatchTakesTheAlgorithmOfItsSingleProducts) {
  set_suggestions({kFirst, kFaster});
  GemmTuning tuning;
  const auto run = [](Backend& backend) {
    test::LinearMaps maps(backend, dtype(), 5, 24, 16, 3);
    backend.linears_forward(maps.x, maps.calls);
    return maps.results();
  };
  run(*make_cuda_backend({.tuning = &tuning}));
  EXPECT_EQ(only(tuning).place, 1);

  const auto backend = make_cuda_backend({.gemms = {"products.json", tuning.found}});
  const auto at_once = run(*backend);
  const int before = emulation::products_asked_for().calls;
  EXPECT_EQ(run(*backend), at_once);
  EXPECT_EQ(emulation::products_asked_for().calls - before, 1);
  test::LinearMaps maps(*backend, dtype(), 5, 24, 16, 3);
  for (const LinearMap& map : maps.calls) {
    backend->linear_forward(maps.x, map.weight, map.bias, {}, map.y);
  }
  EXPECT_EQ(maps.results(), at_once);
  EXPECT_NE(run(*make_cuda_backend()), at_once);
  // A single product first, then two batches of three, then three.
  EXPECT_EQ(gemm_calls(*backend).begin()->second, 1 + 2 * 3 + 3);
}

// A library that refuses every algorithm of an epilogue is asked for the product alone.
TEST_P(Tuning, WhatCannotBeFusedIsTimedWithoutItsEpilogue) {
  emulation::set_refusal_of_epilogues(true);
  const TunedGemm found = only(tune({kFirst, kFaster}));
  emulation::set_refusal_of_epilogues(false);
  EXPECT_EQ(found.place, 1);
}

// What a call takes besides its product is in both ways' times, and the faster way is taken.
TEST_P(Tuning, ComparesFusedWithApart) {
  emulation::set_seconds_of_epilogues(0.5e-3);
  const GemmTuning tuning = tune({kFirst, {.seconds = 0.8e-3}});
  const TunedGemm slow = only(tuning);
  EXPECT_NEAR(slow.fused_seconds, 1.3e-3, 1e-8);
  EXPECT_NEAR(slow.apart_seconds, 0.8e-3, 1e-8);
  EXPECT_TRUE(slow.apart);
  EXPECT_NEAR(slow.call_seconds(), 0.8e-3, 1e-8);

  emulation::set_seconds_of_epilogues(0);
  const TunedGemm free = only(tune({kFirst}));
  EXPECT_NEAR(free.fused_seconds, free.apart_seconds, 1e-8);
  EXPECT_FALSE(free.apart);
}

TEST_P(Tuning, AnEpilogueIsGivenUpForMoreThanTheMarginOnly) {
  emulation::set_seconds_of_epilogues(0.019e-3);
  EXPECT_FALSE(only(tune({kFirst})).apart);
  emulation::set_seconds_of_epilogues(0.022e-3);
  EXPECT_TRUE(only(tune({kFirst})).apart);
}

TEST_P(Tuning, RunsTakeTheWayTheyAreGiven) {
  const auto epilogues_of_run = [](const GemmTuning& given) {
    const int before = emulation::products_asked_for().with_epilogue;
    values_with(given);
    return emulation::products_asked_for().with_epilogue - before;
  };
  EXPECT_EQ(epilogues_of_run(tune({kFirst})), 1);
  emulation::set_seconds_of_epilogues(1e-3);
  const GemmTuning apart = tune({kFirst});
  EXPECT_EQ(epilogues_of_run(apart), 0);
  EXPECT_EQ(values_with(apart), values_with({}));  // a bias is added as exactly
}

TEST_P(Tuning, WithoutEpiloguesNothingIsFused) {
  const int before = emulation::products_asked_for().with_epilogue;
  const Doubles apart = forward(*make_cuda_backend({.epilogues = false}), dtype());
  EXPECT_EQ(emulation::products_asked_for().with_epilogue, before);
  EXPECT_EQ(apart, forward(*make_cuda_backend(), dtype()));
}

// A call that is done apart counts once, by its own name.
TEST_P(Tuning, CountsCallsThatAreDoneApart) {
  emulation::set_seconds_of_epilogues(1e-3);
  const GemmTuning given = tune({kFirst});
  const auto backend = make_cuda_backend({.gemms = {"products.json", given.found}});
  forward(*backend, dtype());
  const auto calls = gemm_calls(*backend);
  ASSERT_EQ(calls.size(), 1);
  EXPECT_EQ(calls.begin()->first.epilogue, Epilogue::kBias);
  EXPECT_EQ(calls.begin()->second, 1);
}

TEST_P(Tuning, CountsCalls) {
  const auto backend = make_cuda_backend();
  forward(*backend, dtype());
  forward(*backend, dtype());
  const auto calls = gemm_calls(*backend);
  ASSERT_EQ(calls.size(), 1);
  EXPECT_EQ(calls.begin()->second, 2);
}

INSTANTIATE_TEST_SUITE_P(Types, Tuning, testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& one) { return std::string(name_of(one.param)); });

}  // namespace
}  // namespace edt
