#include "model/diffusion/solvers/ancestral.h"

#include <gmock/gmock-more-matchers.h>

#include <cmath>

#include "core/base/error.h"
#include "model/diffusion/guidance.h"
#include "model/diffusion/spacing.h"

namespace edt {
namespace {

constexpr std::int64_t kLatents = 4, kSide = 8, kPicture = kLatents * kSide * kSide;

// A batch of pictures and the memory under it.
struct Pictures {
  explicit Pictures(std::int64_t n)
      : memory(static_cast<std::size_t>(n * kPicture)),
        tensor(view_of(std::span(memory), {n, kLatents, kSide, kSide})) {}
  std::vector<float> memory;
  Tensor tensor;
};

std::unique_ptr<Solver> make(std::string_view spacing, SolverConfig config) {
  config.spacing = spacing;
  return make_solver(Process({}), config);
}

SolverConfig implicit(double eta = 0) { return {.kind = SolverKind::kDdim, .eta = eta}; }

// Predicts the noise of data that is normal with mean `mean` and deviation `deviation` everywhere,
// which is known in closed form. The variance channels hold `place`.
Denoiser denoiser_of_normal_data(double mean, double deviation, float place = -1) {
  return [=](const Tensor& x, const Evaluation& at, const Tensor& out) {
    static const DiffusionSchedule schedule;
    const double alpha_bar = schedule[static_cast<int>(at.told)].alpha_bar;
    for (std::size_t b = 0; b < static_cast<std::size_t>(x.shape[0]); ++b) {
      const double variance = alpha_bar * deviation * deviation + 1 - alpha_bar;
      for (std::size_t i = 0; i < kPicture; ++i) {
        const double centred = x.as<float>()[b * kPicture + i] - std::sqrt(alpha_bar) * mean;
        out.as<float>()[2 * b * kPicture + i] =
            static_cast<float>(std::sqrt(1 - alpha_bar) * centred / variance);
        out.as<float>()[(2 * b + 1) * kPicture + i] = place;
      }
    }
  };
}

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments(const std::vector<float>& values) {
  Moments m;
  for (float v : values) m.mean += v;
  m.mean /= static_cast<double>(values.size());
  for (float v : values) m.deviation += (v - m.mean) * (v - m.mean);
  m.deviation = std::sqrt(m.deviation / static_cast<double>(values.size()));
  return m;
}

struct Case {
  const char* name;
  const char* spacing;
  SolverConfig config;
};

class SamplerOfNormalData : public testing::TestWithParam<Case> {};

// Pictures of many steps are distributed as the data.
TEST_P(SamplerOfNormalData, ReachesTheirMeanAndDeviation) {
  Pictures x(16);
  fill_initial_noise(5, 0, x.tensor);
  make(GetParam().spacing, GetParam().config)
      ->run(denoiser_of_normal_data(2, 0.5), keyed_step_noise(5, 0), x.tensor);
  const Moments m = moments(x.memory);
  EXPECT_NEAR(m.mean, 2,
              0.02);  // 16384 values: a standard error of 0.004, plus what is left of x_T
  EXPECT_NEAR(m.deviation, 0.5, 0.02);  // 0.006, and what coarse steps add
}

INSTANTIATE_TEST_SUITE_P(All, SamplerOfNormalData,
                         testing::Values(Case{"ddpm", "250", {}},
                                         Case{"ddpm_sections", "100,50", {}},
                                         Case{"ddim", "ddim250", implicit()},
                                         Case{"ddim_half", "ddim250", implicit(0.5)},
                                         Case{"ddim_noisy", "ddim250", implicit(1.0)}),
                         [](const auto& each) { return each.param.name; });

// Data of a single point: whatever the noise, the last step returns that point.
TEST(Sampler, RecoversAPointExactly) {
  for (const auto& config : {SolverConfig{}, implicit()}) {
    Pictures x(2);
    fill_initial_noise(1, 0, x.tensor);
    make("10", config)->run(denoiser_of_normal_data(0.25, 0), keyed_step_noise(1, 0), x.tensor);
    EXPECT_THAT(x.memory, testing::Each(testing::FloatNear(0.25f, 1e-4f)));
  }
}

// With eta 1 DDIM is DDPM with the smallest variance, on any schedule.
TEST(Sampler, NoisyDdimIsDdpm) {
  Pictures ddpm(1), ddim(1);
  fill_initial_noise(2, 0, ddpm.tensor);
  fill_initial_noise(2, 0, ddim.tensor);
  const auto model = denoiser_of_normal_data(1, 0.5);
  make("10", {})->run(model, keyed_step_noise(2, 0), ddpm.tensor);
  make("10", implicit(1.0))->run(model, keyed_step_noise(2, 0), ddim.tensor);
  for (std::size_t i = 0; i < kPicture; ++i) ASSERT_NEAR(ddpm.memory[i], ddim.memory[i], 2e-5);
}

// One step from t = 700 to 100, all quantities written out.
TEST(Sampler, LearnedVarianceLiesBetweenItsBounds) {
  const DiffusionSchedule full;
  const DiffusionSchedule pair = full.spaced(std::vector{100, 700});
  const float place = 0.5f;  // three quarters of the way
  const double low = pair[1].posterior_log_variance, high = pair[1].log_beta;
  const double deviation = std::exp(0.5 * (0.25 * low + 0.75 * high));
  std::vector<float> with_noise, without;
  for (auto* result : {&with_noise, &without}) {
    Pictures x(1);
    fill_initial_noise(3, 0, x.tensor);
    int calls = 0;
    const auto model = denoiser_of_normal_data(0, 1, place);
    const auto spy = [&](const Tensor& x_t, const Evaluation& at, const Tensor& out) {
      if (calls++ == 1) result->assign(x_t.as<float>(), x_t.as<float>() + kPicture);
      model(x_t, at, out);
    };
    const float value = result == &with_noise ? 1.f : 0.f;
    const StepNoise constant = [value](int, const Tensor& out) {
      std::ranges::fill(out.span<float>(), value);
    };
    Ancestral(Process({}), pair, {.kind = SolverKind::kDdpm}).run(spy, constant, x.tensor, {});
  }
  for (std::size_t i = 0; i < kPicture; ++i) {
    ASSERT_NEAR(with_noise[i] - without[i], deviation, 1e-6);
  }
}

TEST(Sampler, NoiseIsAskedForInEveryStepButTheLast) {
  std::vector<int> asked, done;
  const auto run = [&](const SolverConfig& config) {
    asked.clear();
    done.clear();
    Pictures x(1);
    make("5", config)
        ->run(
            denoiser_of_normal_data(0, 1), [&](int step, const Tensor&) { asked.push_back(step); },
            x.tensor,
            [&](int step, int total) {
              done.push_back(step);
              EXPECT_EQ(total, 5);
            });
  };
  run({});
  EXPECT_THAT(asked, testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(done, testing::ElementsAre(1, 2, 3, 4, 5));
  run(implicit());
  EXPECT_THAT(asked, testing::IsEmpty());
}

TEST(Sampler, TellsTheModelOriginalTimesteps) {
  std::vector<float> told;
  const auto model = [&](const Tensor&, const Evaluation& at, const Tensor& out) {
    told.push_back(at.told);
    std::ranges::fill(out.span<float>(), 0.f);
  };
  Pictures x(1);
  make("ddim5", implicit())->run(model, {}, x.tensor);
  EXPECT_THAT(told, testing::ElementsAre(800, 600, 400, 200, 0));
}

TEST(Sampler, PicturesDoNotDependOnTheBatch) {
  const auto model = denoiser_of_normal_data(0, 0.7, 0.3f);
  const auto sampler = make("20", {});
  Pictures all(5), last(2);
  fill_initial_noise(9, 10, all.tensor);
  fill_initial_noise(9, 13, last.tensor);
  sampler->run(model, keyed_step_noise(9, 10), all.tensor);
  sampler->run(model, keyed_step_noise(9, 13), last.tensor);
  EXPECT_TRUE(
      std::equal(last.memory.begin(), last.memory.end(), all.memory.begin() + 3 * kPicture));
  EXPECT_FALSE(std::equal(last.memory.begin(), last.memory.begin() + kPicture, all.memory.begin()));
}

TEST(Sampler, TakesGivenNoise) {
  std::vector<float> memory(2 * 3 * kPicture);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
  const Tensor all = view_of(std::span(memory), {2, 3, kLatents, kSide, kSide});
  Pictures out(2);
  given_step_noise(all, 1)(1, out.tensor);
  EXPECT_EQ(out.memory.front(), static_cast<float>((3 + 1) * kPicture));
  EXPECT_EQ(out.memory.back(), static_cast<float>(memory.size() - 1));
}

TEST(Sampler, ClipsThePredictedOriginOnlyWhenAsked) {
  for (auto kind : {SolverKind::kDdpm, SolverKind::kDdim}) {
    for (bool clip : {false, true}) {
      Pictures x(1);
      fill_initial_noise(4, 0, x.tensor);
      make("10", {.kind = kind, .clip_denoised = clip})
          ->run(denoiser_of_normal_data(3, 0), keyed_step_noise(4, 0), x.tensor);
      EXPECT_NEAR(moments(x.memory).mean, clip ? 1 : 3, 1e-3);
    }
  }
}

TEST(Sampler, RefusesWrongOptions) {
  EXPECT_THROW(make("5", implicit(1.5)), UsageError);
  EXPECT_THROW(make("5", implicit(std::nan(""))), UsageError);
  EXPECT_THROW(make("5", {.kind = SolverKind::kDdpm, .eta = 0.5}), UsageError);
}

}  // namespace
}  // namespace edt
