// Solvers on normal data, of which all is known in closed form: the prediction at every time, and
// where a flow without noise ends. A solver's result is affine in what it starts from and in the
// noise of its steps, so one run whose pixels are the unit vectors gives mean and deviation of its
// samples without any sampling.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "model/diffusion/solvers/solver.h"

namespace edt {
namespace {

constexpr double kMean = 0.7, kDeviation = 0.5;

// What a perfect network gives. The variance channels, if there are any, hold the lower bound.
Denoiser perfect(const Process& process) {
  return [&process](const Tensor& x, const Evaluation& at, const Tensor& out) {
    EXPECT_EQ(at.told, process.told(at.t));
    const PathPoint p = process.at(at.t);
    const auto [of_origin, of_noise] = process.target(at.t);
    const double variance = p.alpha * p.alpha * kDeviation * kDeviation + p.sigma * p.sigma;
    const auto values = x.span<float>(), given = out.span<float>();
    std::ranges::fill(given, -1.f);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double centred = values[i] - p.alpha * kMean;
      const double origin = kMean + p.alpha * kDeviation * kDeviation * centred / variance;
      const double noise = p.sigma * centred / variance;
      given[i] = static_cast<float>(of_origin * origin + of_noise * noise);
    }
  };
}

struct SampleMoments {
  double mean = 0, deviation = 0;
};

// Of the samples that start from standard normal noise. Pixel 0 starts from 0, pixel 1 from 1,
// pixel 2 + i sees the noise of step i.
SampleMoments moments_of(const Process& process, const SolverConfig& config) {
  const auto solver = make_solver(process, config);
  const auto pixels = static_cast<std::size_t>(2 + solver->steps());
  std::vector<float> memory(pixels);
  memory[1] = 1;
  const Tensor x = view_of(std::span(memory), {1, 1, 1, static_cast<std::int64_t>(pixels)});
  const StepNoise unit = [](int step, const Tensor& out) {
    std::ranges::fill(out.span<float>(), 0.f);
    out.as<float>()[2 + step] = 1;
  };
  solver->run(perfect(process), unit, x);
  double variance = 0;
  for (std::size_t i = 1; i < pixels; ++i) variance += std::pow(memory[i] - memory[0], 2);
  return {memory[0], std::sqrt(variance)};
}

std::string text(PredictionType prediction) {
  return prediction == PredictionType::kNoise    ? "noise"
         : prediction == PredictionType::kOrigin ? "x0"
                                                 : "velocity";
}

using NamedProcess = std::pair<std::string, ProcessConfig>;

std::vector<NamedProcess> processes() {
  std::vector<NamedProcess> all;
  for (const auto prediction :
       {PredictionType::kNoise, PredictionType::kOrigin, PredictionType::kVelocity}) {
    for (const auto path : {FlowPath::kLinear, FlowPath::kCosine}) {
      for (const auto told : {Told::kData, Told::kNoise}) {
        ProcessConfig flow = ProcessConfig::flow(path);
        flow.prediction = prediction;
        flow.told = told;
        flow.told_scale = told == Told::kData ? 1 : 1000;
        all.emplace_back(fmt::format("{}_{}_{}", path == FlowPath::kLinear ? "linear" : "cosine",
                                     text(prediction), told == Told::kData ? "data" : "noise"),
                         flow);
      }
    }
    all.emplace_back("ddpm_" + text(prediction), ProcessConfig{.prediction = prediction});
  }
  all.emplace_back("ddpm_without_variance", ProcessConfig{.learnt_variance = false});
  return all;
}

std::vector<std::pair<std::string, SolverConfig>> solvers(bool discrete) {
  std::vector<std::pair<std::string, SolverConfig>> all;
  for (const auto kind : {SolverKind::kDdim, SolverKind::kEuler, SolverKind::kHeun,
                          SolverKind::kDpm, SolverKind::kSdeEuler, SolverKind::kSdeHeun}) {
    all.emplace_back(name_of(kind), SolverConfig{.kind = kind});
  }
  for (const auto& [name, last] : {std::pair{"tweedie", LastStep::kTweedie},
                                   {"euler", LastStep::kEuler},
                                   {"none", LastStep::kNone}}) {
    all.emplace_back(std::string("sde_last_") + name,
                     SolverConfig{.kind = SolverKind::kSdeEuler, .last_step = last});
  }
  for (const auto& [name, form] : {std::pair{"linear", DiffusionForm::kLinear},
                                   {"decreasing", DiffusionForm::kDecreasing},
                                   {"increasing_decreasing", DiffusionForm::kIncreasingDecreasing},
                                   {"path", DiffusionForm::kPath}}) {
    all.emplace_back(std::string("sde_") + name,
                     SolverConfig{.kind = SolverKind::kSdeEuler, .diffusion = form});
  }
  // Where little noise is left, a mean step of 0.04 takes away much more than that.
  all.emplace_back("sde_constant", SolverConfig{.kind = SolverKind::kSdeEuler,
                                                .diffusion = DiffusionForm::kConstant,
                                                .last_step = LastStep::kTweedie});
  if (discrete) {
    all.emplace_back("ddpm", SolverConfig{.kind = SolverKind::kDdpm});
    all.emplace_back("ddim_noisy", SolverConfig{.kind = SolverKind::kDdim, .eta = 1});
  } else {
    all.emplace_back("euler_shifted", SolverConfig{.kind = SolverKind::kEuler, .shift = 3});
    all.emplace_back("dpm_shifted", SolverConfig{.kind = SolverKind::kDpm, .shift = 3});
  }
  return all;
}

class ClosedForm : public testing::TestWithParam<NamedProcess> {};

// A wrong sign of the score, a missing factor 2, a conversion that is off: all are seen here. What
// is left is the error of 400 steps; of DDPM also what its noisiest step keeps of the data, and of
// a flow what a step of 0.04 at the end or a start at 0.999 costs.
TEST_P(ClosedForm, SamplesHaveTheMeanAndDeviationOfTheData) {
  const Process process(GetParam().second);
  for (auto [name, solver] : solvers(process.config().discrete())) {
    solver.spacing = "400";
    const SampleMoments moments = moments_of(process, solver);
    EXPECT_NEAR(moments.mean, kMean, 0.01) << name;
    EXPECT_NEAR(moments.deviation, kDeviation, 0.012) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ClosedForm, testing::ValuesIn(processes()),
                         [](const auto& one) { return one.param.first; });

double error_of(const Process& process, SolverConfig config, int steps) {
  config.spacing = std::to_string(steps);
  return std::abs(moments_of(process, config).deviation - kDeviation);
}

// By how much a halved step divides the error: to the power of two, the order.
double observed_order(const ProcessConfig& process, const SolverConfig& config, int steps) {
  const Process made(process);
  return std::log2(error_of(made, config, steps) / error_of(made, config, 2 * steps));
}

TEST(Order, IsThatOfTheSolver) {
  for (const auto path : {FlowPath::kLinear, FlowPath::kCosine}) {
    const ProcessConfig flow = ProcessConfig::flow(path);
    const int steps = 24;  // finer ones meet the rounding of float32
    EXPECT_NEAR(observed_order(flow, {.kind = SolverKind::kEuler}, steps), 1, 0.15);
    EXPECT_NEAR(observed_order(flow, {.kind = SolverKind::kHeun}, steps), 2, 0.15);
    EXPECT_NEAR(observed_order(flow, {.kind = SolverKind::kDdim}, steps), 1, 0.15);
    // Its steps are infinitely long at both ends: the error falls as h^2 log h.
    EXPECT_NEAR(observed_order(flow, {.kind = SolverKind::kDpm}, 192), 2, 0.35);
    for (const auto form : {DiffusionForm::kSigma, DiffusionForm::kLinear}) {
      const SolverConfig sde{
          .kind = SolverKind::kSdeEuler, .diffusion = form, .last_step = LastStep::kNone};
      EXPECT_NEAR(observed_order(flow, sde, 96), 1, 0.25);
    }
  }
}

// Along the straight path DDIM and Euler take the same step.
TEST(Solvers, DdimIsEulerOnTheLinearPath) {
  const Process process(ProcessConfig::flow());
  const SampleMoments euler = moments_of(process, {.kind = SolverKind::kEuler, .spacing = "10"});
  const SampleMoments ddim = moments_of(process, {.kind = SolverKind::kDdim, .spacing = "10"});
  EXPECT_NEAR(euler.deviation, ddim.deviation, 1e-6);
  EXPECT_NEAR(euler.mean, ddim.mean, 1e-6);
}

TEST(Solvers, DdimOfStepsIsThatOfItsFirstOrderForm) {
  const Process process({});
  const SolverConfig ddim{.kind = SolverKind::kDdim, .spacing = "20"};
  SolverConfig none = ddim;
  none.kind = SolverKind::kDpm;  // two steps: one has no step before it, the other ends at the data
  none.spacing = "2";
  SolverConfig same = ddim;
  same.spacing = "2";
  EXPECT_NEAR(moments_of(process, none).deviation, moments_of(process, same).deviation, 1e-5);
}

// One step of Euler from pure noise: x = e + v.
TEST(Solvers, OneStepOfEulerAddsTheVelocity) {
  const Process process(ProcessConfig::flow());
  std::vector<float> memory{0.3f, -1.2f};
  const Denoiser model = [](const Tensor&, const Evaluation& at, const Tensor& out) {
    EXPECT_EQ(at.told, 0.f);
    out.as<float>()[0] = 0.25f, out.as<float>()[1] = 2.f;
  };
  make_solver(process, {.spacing = "1"})->run(model, {}, view_of(std::span(memory), {1, 2, 1, 1}));
  EXPECT_FLOAT_EQ(memory[0], 0.55f);
  EXPECT_FLOAT_EQ(memory[1], 0.8f);
}

TEST(Solvers, AnOriginIsClippedWhenAsked) {
  const Process process(ProcessConfig::flow());
  const Denoiser far = [&](const Tensor& x, const Evaluation& at, const Tensor& out) {
    const PathPoint p = process.at(at.t);  // x_0 is 3 everywhere
    const Mix noise = {1 / p.sigma, -p.alpha / p.sigma};
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      out.as<float>()[i] = 3 - noise(x.as<float>()[i], 3);
    }
  };
  for (const bool clip : {false, true}) {
    for (const auto kind : {SolverKind::kDdim, SolverKind::kDpm}) {
      std::vector<float> memory{0.3f, -1.2f};
      make_solver(process, {.kind = kind, .spacing = "10", .clip_denoised = clip})
          ->run(far, {}, view_of(std::span(memory), {1, 2, 1, 1}));
      EXPECT_NEAR(memory[0], clip ? 1 : 3, 1e-5);
    }
  }
}

// Heun asks twice in a step, but for the last one where nothing is known of the noise.
TEST(Solvers, AskAsOftenAsTheySay) {
  const auto asked = [](const ProcessConfig& config, SolverKind kind) {
    const Process process(config);
    int count = 0;
    const Denoiser counting = [&](const Tensor&, const Evaluation&, const Tensor& out) {
      ++count;
      std::ranges::fill(out.span<float>(), 0.1f);
    };
    std::vector<float> memory(2);
    const auto solver = make_solver(process, {.kind = kind, .spacing = "5"});
    EXPECT_EQ(solver->steps(), 5);
    int done = 0;
    solver->run(counting, keyed_step_noise(0, 0), view_of(std::span(memory), {1, 2, 1, 1}),
                [&](int step, int total) {
                  EXPECT_EQ(step, ++done);
                  EXPECT_EQ(total, 5);
                });
    EXPECT_EQ(done, 5);
    return count;
  };
  ProcessConfig origin = ProcessConfig::flow();
  origin.prediction = PredictionType::kOrigin;
  const ProcessConfig flow = ProcessConfig::flow();
  EXPECT_EQ(asked(flow, SolverKind::kEuler), 5);
  EXPECT_EQ(asked(flow, SolverKind::kHeun), 10);
  EXPECT_EQ(asked(origin, SolverKind::kHeun), 9);
  EXPECT_EQ(asked({}, SolverKind::kHeun), 9);
  EXPECT_EQ(asked(flow, SolverKind::kSdeEuler), 5);
  EXPECT_EQ(asked(flow, SolverKind::kSdeHeun), 9);
  EXPECT_EQ(asked({}, SolverKind::kDdpm), 5);
  EXPECT_EQ(asked(flow, SolverKind::kDpm), 5);
}

// A shift of 1 is the even grid, bit for bit.
TEST(Solvers, ShiftMovesTheGrid) {
  const Process process(ProcessConfig::flow());
  const auto times = [&](double shift) {
    return make_solver(process, {.spacing = "4", .shift = shift})->times();
  };
  EXPECT_EQ(times(1), (std::vector<double>{1, 0.75, 0.5, 0.25}));
  const auto shifted = times(3);
  EXPECT_EQ(shifted[0], 1);
  EXPECT_DOUBLE_EQ(shifted[2], 0.75);
}

TEST(Solvers, RefuseWhatDoesNotFit) {
  const Process ddpm({}), flow(ProcessConfig::flow());
  const auto refused = [](const Process& process, const SolverConfig& config) -> std::string {
    try {
      make_solver(process, config);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refused(flow, {.kind = SolverKind::kDdpm}),
            "[sampler] sampler is ddpm, and process.kind is flow: take ddim, euler, heun, "
            "sde-euler, sde-heun or dpm++");
  EXPECT_EQ(refused(ddpm, {.shift = 2}),
            "[sampler] shift is 2, and process.kind is ddpm, whose steps spacing chooses");
  EXPECT_EQ(
      refused(flow, {.spacing = "ddim25"}),
      "[sample] spacing is 'ddim25', and process.kind is flow, which takes a number of steps");
  for (const SolverConfig& wrong :
       std::vector<SolverConfig>{{.kind = SolverKind::kEuler, .eta = 0.5},
                                 {.kind = SolverKind::kDdim, .eta = 0.5},
                                 {.kind = SolverKind::kHeun, .clip_denoised = true},
                                 {.shift = 0},
                                 {.kind = SolverKind::kSdeEuler, .last_step_size = 0},
                                 {.kind = SolverKind::kSdeEuler, .last_step_size = 1},
                                 {.spacing = "0"}}) {
    EXPECT_NE(refused(flow, wrong), "accepted");
  }
  EXPECT_EQ(refused(flow, {}), "accepted");
  EXPECT_EQ(refused(ddpm, {}), "accepted");
}

}  // namespace
}  // namespace edt
