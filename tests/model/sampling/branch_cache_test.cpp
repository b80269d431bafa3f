// Which steps a cache computes, and what it foretells in the others.
#include "model/sampling/branch_cache.h"

#include <gmock/gmock.h>

#include "core/cpu/cpu_backend.h"
#include "core/reference/reference_backend.h"
#include "model/sampling/ffn_reuse.h"

namespace edt {
namespace {

CacheConfig fora(int interval) { return {.kind = CacheKind::kFora, .interval = interval}; }
CacheConfig taylor(int interval, int order, int warmup = 2) {
  return {.kind = CacheKind::kTaylor, .interval = interval, .order = order, .warmup = warmup};
}

// By their number from the last.
std::vector<int> whole_steps(const CacheConfig& config, int steps) {
  CacheSchedule schedule(config, steps);
  std::vector<int> whole;
  for (int left = steps - 1; left >= 0; --left) {
    if (schedule.next()) whole.push_back(left);
  }
  return whole;
}

TEST(CacheSchedule, OfForaCountsFromTheLastStep) {
  using testing::ElementsAre;
  EXPECT_THAT(whole_steps(fora(2), 6), ElementsAre(5, 4, 2, 0));
  EXPECT_THAT(whole_steps(fora(4), 6), ElementsAre(5, 4, 0));
  EXPECT_THAT(whole_steps(fora(6), 6), ElementsAre(5, 0));
  EXPECT_THAT(whole_steps(fora(100), 3), ElementsAre(2, 0));
  EXPECT_THAT(whole_steps(fora(1), 3), ElementsAre(2, 1, 0));
  for (const auto& [interval, of_50, of_250] :
       {std::tuple{2, 26u, 126u}, {3, 18u, 84u}, {5, 11u, 51u}}) {
    EXPECT_EQ(whole_steps(fora(interval), 50).size(), of_50);
    EXPECT_EQ(whole_steps(fora(interval), 250).size(), of_250);
  }
}

TEST(CacheSchedule, OfTaylorCountsFromTheWarmUp) {
  using testing::ElementsAre;
  EXPECT_THAT(whole_steps(taylor(3, 1), 12), ElementsAre(11, 10, 7, 4, 1));
  EXPECT_THAT(whole_steps(taylor(4, 1, 1), 6), ElementsAre(5, 1));
  EXPECT_THAT(whole_steps(taylor(1, 1), 3), ElementsAre(2, 1, 0));
}

TEST(CacheSchedule, AForcedStepBeginsTheIntervalAnew) {
  CacheSchedule schedule(taylor(3, 1, 1), 7);
  std::vector<bool> whole;
  for (int step = 0; step < 7; ++step) whole.push_back(schedule.next(step == 2));
  EXPECT_THAT(whole, testing::ElementsAre(true, false, true, false, false, true, false));
}

TEST(CacheConfig, NumbersThatMakeNoCacheAreRefused) {
  EXPECT_THROW(fora(0).validate(), UsageError);
  EXPECT_THROW(taylor(2, -1).validate(), UsageError);
  EXPECT_THROW(taylor(2, 9).validate(), UsageError);
  EXPECT_THROW(taylor(2, 1, 0).validate(), UsageError);
  CacheConfig nothing = fora(2);
  nothing.attention = nothing.mlp = false;
  EXPECT_THROW(nothing.validate(), UsageError);
  nothing.lite = true;
  EXPECT_NO_THROW(nothing.validate());
}

enum class Where { kReference, kCpu };

// A cache that is told what one branch gives, a value for each of two rows, step by step.
class Branches : public testing::TestWithParam<Where> {
 protected:
  static constexpr BranchSite kSite{2, Branch::kMlp};
  static constexpr int kSteps = 12;

  std::vector<float> step(BranchCache& cache, double value, std::int64_t rows = 2,
                          bool second = false) {
    cache.begin_evaluation({second ? 0.5 : 0.6, 0.6, 0}, rows);
    const Tape::NoGrad none(tape_);
    std::vector<float> seen(static_cast<std::size_t>(rows * 8));
    {
      const Var made = reused(tape_, &cache, kSite, [&] {
        std::vector<float> values(seen.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
          const std::size_t row = i / 8 + 1;
          values[i] = static_cast<float>(value * static_cast<double>(row));
        }
        Var computed = tape_.make({rows, 2, 4});
        backend_->upload(values.data(), computed.tensor());
        return computed;
      });
      backend_->download(made.tensor(), seen.data());
      backend_->fill(made.tensor(), 77);  // as a gate writes over what it reads
    }
    tape_.clear();
    return seen;
  }

  // `function` of the number from the last; `error` also of the last one that was computed.
  template <class F, class G>
  void expect_foretold(const CacheConfig& config, F function, G error) {
    BranchCache cache(config, *backend_);
    for (int batch = 0; batch < 2; ++batch) {
      cache.begin(kSteps);
      int last = 0;
      for (int left = kSteps - 1; left >= 0; --left) {
        const auto seen = step(cache, function(left));
        if (cache.computes(kSite)) last = left;
        const double expected = function(left) + error(left, last);
        EXPECT_NEAR(seen[0], expected, 1e-4) << left;
        EXPECT_NEAR(seen[8], 2 * expected, 2e-4) << left;
      }
    }
  }

  std::unique_ptr<Backend> backend_ =
      GetParam() == Where::kCpu ? make_cpu_backend() : make_reference_backend();
  Arena arena_{backend_->memory()};
  Profiler profiler_;
  Tape tape_{*backend_, arena_, profiler_, DType::kFloat32};
};

TEST_P(Branches, AreTakenAsTheyWere) {
  const auto linear = [](int i) { return 3.0 + 2 * i; };
  const auto since = [](int i, int last) { return 2.0 * (last - i); };
  expect_foretold(fora(3), linear, since);
  expect_foretold(taylor(3, 0), linear, since);
}

TEST_P(Branches, ThatAreLinearAreForetoldExactly) {
  const auto linear = [](int i) { return 3.0 - 0.5 * i; };
  for (const int order : {1, 2, 4}) {
    expect_foretold(taylor(3, order), linear, [](int, int) { return 0; });
  }
}

// The slope is that in the middle of the last gap, so squares are not. With equal gaps the
// published formula is off by (last - i) gap.
TEST_P(Branches, ThatAreSquaresAreOffByTheGap) {
  const auto square = [](int i) { return 0.25 * i * i; };
  BranchCache cache(taylor(2, 2, 1), *backend_);
  cache.begin(kSteps);
  for (int left = kSteps - 1; left >= 0; --left) {
    const auto seen = step(cache, square(left));
    if (kSteps - 1 - left < 5) continue;  // differences of unequal number
    const int last = left + 1;
    const double off = cache.computes(kSite) ? 0 : 0.25 * 2 * (last - left) * -1;
    EXPECT_NEAR(seen[0], square(left) + off, 1e-4) << left;
  }
}

TEST_P(Branches, OfTheSecondEvaluationOfAStepAreTheirOwn) {
  BranchCache cache(fora(3), *backend_);
  cache.begin(6);
  for (int left = 5; left >= 0; --left) {
    const auto first = step(cache, left), second = step(cache, 100 + left, 2, true);
    const int last = left == 5 ? 5 : left > 3 ? 5 : left == 3 ? 3 : left > 0 ? 3 : 0;
    EXPECT_EQ(first[0], static_cast<float>(last));
    EXPECT_EQ(second[0], static_cast<float>(100 + last));
  }
  EXPECT_EQ(cache.use().steps, 6);
  EXPECT_EQ(cache.use().whole_steps, 3);
  EXPECT_EQ(cache.use().rows, 6 * 2 * 2);
  EXPECT_EQ(cache.use().whole_rows, 3 * 2 * 2);
}

// As guidance in a part of the times has them.
TEST_P(Branches, OfOtherRowsAreComputed) {
  BranchCache cache(fora(5), *backend_);
  cache.begin(10);
  std::vector<float> seen;
  const std::vector<std::int64_t> rows{2, 2, 4, 4, 4, 4, 2, 2, 2, 2};
  for (int i = 0; i < 10; ++i) {
    seen.push_back(step(cache, i, rows[static_cast<std::size_t>(i)]).front());
  }
  EXPECT_THAT(seen, testing::ElementsAre(0, 0, 2, 2, 4, 4, 6, 6, 6, 9));
}

TEST_P(Branches, ThatAreNotKeptAreComputed) {
  CacheConfig config = fora(3);
  config.mlp = false;
  BranchCache cache(config, *backend_);
  cache.begin(6);
  for (int left = 5; left >= 0; --left) {
    EXPECT_EQ(step(cache, left)[0], static_cast<float>(left));
    EXPECT_EQ(cache.computes({0, Branch::kAttention}), left == 5 || left % 3 == 0);
    EXPECT_TRUE(cache.computes({0, Branch::kBody}));
  }
  EXPECT_EQ(cache.peak_bytes(), 0u);
}

// What was large in the dense step is new, whatever it is now; what was small stays.
TEST_P(Branches, OfHiddenUnitsAreChosenByTheDenseStep) {
  FfnReuse reuse({.sparse_steps = 1, .threshold = 0.25}, *backend_);
  const auto step = [&](const std::vector<float>& units) {
    reuse.begin_evaluation({0.5, 0.5, 0}, 1);
    std::vector<float> seen(units.size());
    {
      const Var hidden = tape_.make({1, 1, static_cast<std::int64_t>(units.size())});
      backend_->upload(units.data(), hidden.tensor());
      backend_->download(reuse.pass(tape_, 0, 2, hidden).tensor(), seen.data());
    }
    tape_.clear();
    return seen;
  };
  using testing::ElementsAre;
  reuse.begin(4);
  EXPECT_THAT(step({1, 0.1f, -0.3f, 0.25f}), ElementsAre(1, 0.1f, -0.3f, 0.25f));
  EXPECT_THAT(step({0, 2, 3, 4}), ElementsAre(0, 0.1f, 3, 0.25f));
  EXPECT_THAT(step({0, 0.5f, 0, 0}), ElementsAre(0, 0.5f, 0, 0));
  EXPECT_THAT(step({7, 8, 9, 10}), ElementsAre(0, 8, 0, 0));
  EXPECT_EQ(reuse.use()[0].marked, 3);
  EXPECT_EQ(reuse.use()[0].dense_units, 8);
  EXPECT_EQ(reuse.use()[0].macs, 4 * 4 * 2 * 2);
  EXPECT_EQ(reuse.use()[0].spared, (0.5 + 0.75) * 4 * 2 * 2);
  reuse.begin(4);
  EXPECT_THAT(step({7, 8, 9, 10}), ElementsAre(7, 8, 9, 10)) << "another batch begins dense";
}

INSTANTIATE_TEST_SUITE_P(Backends, Branches, testing::Values(Where::kReference, Where::kCpu));

}  // namespace
}  // namespace edt
