// SiT, and EDT trained to predict a velocity, against values of the published code (of EDT: of its
// network, and SiT's objective). Tolerances as in models_test.cpp; samplers take five steps.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>

#include "model/sampling/picture_sampler.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_run.h"

namespace edt::test {
namespace {

FlowPath path_of(std::string_view name) {
  return name == "GVP" ? FlowPath::kCosine : FlowPath::kLinear;
}

// Parts are SiT's paths, "Linear" and "GVP"; of EDT there is one.
class FlowGolden : public GoldenTest {
 protected:
  void begin() override { run_.emplace(file_, config(), *backend_, GetParam().dtype); }

  ModelConfig config() const { return golden_config(file_, path_of(part())); }
  bool is_sit() const { return !part().empty(); }

  std::optional<GoldenRun> run_;
};

TEST_P(FlowGolden, LossesAndAllGradients) {
  const GoldenStep step = run_->step();
  const std::string path = part();
  const double tolerance = GetParam().output_tolerance;
  std::string total = "/expected/total_loss", gradients = "/grads/";
  if (is_sit()) {
    total += "/" + path;
    gradients = "/grads_" + path + "/";
    expect_close(step.x_t, "/expected/x_t/" + path, 1e-5);
    expect_close(step.full.mse, "/expected/loss/" + path + "/velocity_none", tolerance);
  } else {
    expect_close(step.full.mse, "/expected/full/mse", tolerance);
    ASSERT_TRUE(step.masked.has_value());
    expect_close(step.masked->mse, "/expected/masked/mse", tolerance);
  }
  EXPECT_NEAR(step.loss / file_.read<double>(total)[0], 1, tolerance);
  std::size_t count = 0;
  for (const Parameter& parameter : run_->golden().model().parameters().all()) {
    expect_close(run_->golden().host(parameter.grad), gradients + parameter.name,
                 GetParam().gradient_tolerance);
    ++count;
  }
  EXPECT_EQ(count, file_.names(gradients.substr(0, gradients.size() - 1)).size());
}

TEST_P(FlowGolden, Outputs) {
  const std::string path = is_sit() ? "/" + part() : "";
  expect_close(run_->output(), "/expected/output_train" + path, GetParam().output_tolerance);
}

// What the network gave, read as noise: another prediction with the same path.
TEST_P(FlowGolden, OutputsReadAsNoise) {
  if (!is_sit()) GTEST_SKIP() << "the file has no such loss";
  ModelConfig noise = config();
  noise.common().process.prediction = PredictionType::kNoise;
  GoldenRun run(file_, noise, *backend_, GetParam().dtype);
  expect_close(run.step().full.mse, "/expected/loss/" + part() + "/noise_none",
               GetParam().output_tolerance);
}

// t = 1 is data in these files; rates are by their time.
TEST_P(FlowGolden, CoefficientsAndConversions) {
  if (!is_sit()) GTEST_SKIP() << "the file has no coefficients";
  const std::string path = part();
  const Process& process = run_->golden().model().process();
  const auto rows = file_.read<double>("/expected/coefficients/" + path);
  for (std::size_t i = 0; i < rows.size(); i += 7) {
    const PathPoint p = process.at(1 - rows[i]);
    EXPECT_NEAR(p.alpha, rows[i + 1], 1e-6);
    EXPECT_NEAR(-p.alpha_rate, rows[i + 2], 2e-6);
    EXPECT_NEAR(p.sigma, rows[i + 3], 1e-6);
    EXPECT_NEAR(-p.sigma_rate, rows[i + 4], 2e-6);
  }
  const auto given = file_.read<float>("/expected/output_train/" + path);
  const auto x_t = file_.read<float>("/expected/x_t/" + path);
  std::vector<float> noise(given.size()), score(given.size());
  const std::size_t picture = given.size() / run_->times().size();
  for (std::size_t i = 0; i < given.size(); ++i) {
    const PathPoint p = process.at(run_->times()[i / picture]);
    noise[i] = process.noise(p)(x_t[i], given[i]);
    score[i] = static_cast<float>(-noise[i] / p.sigma);
  }
  expect_close(noise, "/expected/noise_from_velocity/" + path, 2e-5);
  expect_close(score, "/expected/score_from_velocity/" + path, 2e-5);
}

// "sde_euler_sigma_mean" as words.
std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words{""};
  for (const char c : name) {
    c == '_' ? words.push_back("") : words.back().push_back(c);
  }
  return words;
}

DiffusionForm form_of(const std::string& name) {
  return name == "sigma"        ? DiffusionForm::kSigma
         : name == "linear"     ? DiffusionForm::kLinear
         : name == "constant"   ? DiffusionForm::kConstant
         : name == "decreasing" ? DiffusionForm::kDecreasing
                                : DiffusionForm::kPath;
}

LastStep last_step_of(const std::string& name) {
  return name == "mean"      ? LastStep::kMean
         : name == "tweedie" ? LastStep::kTweedie
         : name == "euler"   ? LastStep::kEuler
                             : LastStep::kNone;
}

SolverConfig solver_of(const std::string& name, int steps, double last_step_size) {
  const auto words = words_of(name);
  if (words[0] == "ode") {
    return {.kind = words[1] == "heun2" ? SolverKind::kHeun : SolverKind::kEuler,
            .spacing = std::to_string(steps)};
  }
  const LastStep last = last_step_of(words.back());
  return {.kind = words[1] == "heun" ? SolverKind::kSdeHeun : SolverKind::kSdeEuler,
          .spacing = std::to_string(last == LastStep::kNone ? steps - 1 : steps),
          .diffusion = form_of(words[2]),
          .last_step = last,
          .last_step_size = last_step_size};
}

// Every sample that the file has, whatever it is called. The published state is float32, too; the
// form "sbdm" divides by the time that is left and gets a wider bound.
TEST_P(FlowGolden, Samples) {
  if (!is_sit()) GTEST_SKIP() << "the file has no samples";
  const bool is_float = GetParam().dtype == DType::kFloat32;
  const std::string group = "/expected/sample/" + part();
  const auto labels = file_.read<std::int64_t>("/inputs/sample/labels");
  const auto noise = file_.read<float>("/inputs/sample/sde_step_noise");
  const int steps = static_cast<int>(file_.shape("/inputs/sample/sde_step_noise")[0]);
  PictureRequest request;
  request.labels.assign(labels.begin(), labels.end());
  request.guidance.scale = file_.number("/", "cfg_scale");
  request.guidance.channels = {static_cast<std::int64_t>(file_.number("/", "guided_channels"))};
  request.init_noise = file_.read<float>("/inputs/sample/z");
  PictureSampler sampler(run_->golden().model(), *backend_, GetParam().dtype);
  std::vector<float> latents(request.init_noise.size());
  ASSERT_GE(file_.names(group).size(), 5u);
  for (const std::string& name : file_.names(group)) {
    request.solver = solver_of(name, steps, file_.number("/", "last_step_size"));
    const auto solver = make_solver(run_->golden().model().process(), request.solver);
    request.step_noise.clear();
    if (solver->is_noisy()) {
      const auto used =
          static_cast<std::ptrdiff_t>(static_cast<std::size_t>(solver->steps()) * latents.size());
      request.step_noise.assign(noise.begin(), noise.begin() + used);
    }
    for (const std::int64_t batch : sampling_batches(GetParam().backend)) {
      request.batch = batch;
      sampler.run(request, latents);
      const bool is_path_form = name.find("sbdm") != std::string::npos;
      const double tolerance = !is_float ? 1e-1 : is_path_form ? 1e-4 : 3e-5;
      expect_close(latents, group + "/" + name, tolerance);
    }
  }
}

std::vector<GoldenPart> flow_parts() {
  std::vector<GoldenPart> all;
  for (const std::string& file : golden_models("sit")) {
    for (const char* path : {"Linear", "GVP"}) all.push_back({file, path});
  }
  for (const std::string& file : golden_models("edt velocity")) all.push_back({file});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, FlowGolden, testing::ValuesIn(on_host(flow_parts())));
INSTANTIATE_TEST_SUITE_P(Cuda, FlowGolden, testing::ValuesIn(on_gpu(flow_parts())));

}  // namespace
}  // namespace edt::test
