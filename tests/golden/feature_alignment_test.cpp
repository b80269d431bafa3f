// REPA on its published SiT: two arrays of features, both paths, samples; and on the latents of
// REPA-E, drawn from moments and normalised by channel. Tolerances as in models_test.cpp.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <optional>
#include <set>

#include "model/sampling/picture_sampler.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_run.h"

namespace edt::test {
namespace {

// Parts are paths, "linear" and "cosine"; of REPA-E there is one.
class FeatureGolden : public GoldenTest {
 protected:
  void begin() override {
    run_.emplace(file_,
                 golden_config(file_, part() == "cosine" ? FlowPath::kCosine : FlowPath::kLinear),
                 *backend_, GetParam().dtype);
  }

  std::string expected(const std::string& name) const {
    return "/expected/" + (part().empty() ? "" : part() + "/") + name;
  }
  FeatureAlignmentConfig alignment() const {
    FeatureAlignmentConfig config;
    config.after = static_cast<std::int64_t>(file_.number("/", "encoder_depth"));
    config.projector = static_cast<std::int64_t>(file_.number("/", "projector_dim"));
    config.course.weight = file_.number("/", "proj_coeff");
    for (const double dims : file_.numbers("/", "z_dims")) {
      config.arrays.push_back(
          {fmt::format("array-{}", config.arrays.size()), static_cast<std::int64_t>(dims)});
    }
    return config;
  }
  void align() { run_->add_companions(file_, {.features = alignment()}); }
  const std::deque<Parameter>& parameters() { return run_->golden().model().parameters().all(); }
  // The published loss is -cos, ours 1 - cos; both are means over arrays, samples and tokens.
  double alignment_of(const GoldenStep& step) const {
    double sum = 0;
    for (const auto& rows : step.beside) {
      const std::size_t batch = run_->times().size();
      sum += std::accumulate(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(batch), 0.0) /
             static_cast<double>(batch);
    }
    return sum / static_cast<double>(step.beside.size()) - 1;
  }

  std::optional<GoldenRun> run_;
};

TEST_P(FeatureGolden, LossesAndAllGradients) {
  align();
  const GoldenStep step = run_->step();
  const double tolerance = GetParam().output_tolerance, weight = alignment().course.weight;
  ASSERT_EQ(step.beside.size(), alignment().arrays.size());
  expect_close(step.full.mse, expected("denoising_loss"), tolerance);
  // Of values near 0, as directions that have nothing to do with each other give.
  EXPECT_NEAR(alignment_of(step), file_.read<double>(expected("proj_loss"))[0], tolerance);
  EXPECT_NEAR((step.loss - weight) / file_.read<double>(expected("total_loss"))[0], 1, tolerance);
  if (part() == "cosine") return;  // gradients are of the linear path
  for (const Parameter& parameter : parameters()) {
    expect_close(run_->golden().host(parameter.grad), "/grads/" + parameter.name,
                 GetParam().gradient_tolerance);
  }
  EXPECT_EQ(parameters().size(), file_.names("/grads").size());
}

// Blocks behind the one that is read, and all that follows them, have no share in it.
TEST_P(FeatureGolden, AloneItReachesNoBlockBehind) {
  if (part() != "linear") GTEST_SKIP() << "no such gradients";
  align();
  run_->step(0);
  const auto names = file_.names("/grads_proj_loss_alone");
  const std::set<std::string> reached(names.begin(), names.end());
  const auto weight = static_cast<float>(alignment().course.weight);
  std::size_t found = 0;
  for (const Parameter& parameter : parameters()) {
    std::vector<float> gradient = run_->golden().host(parameter.grad);
    if (reached.contains(parameter.name)) {
      for (float& value : gradient) value /= weight;
      expect_close(gradient, "/grads_proj_loss_alone/" + parameter.name,
                   GetParam().gradient_tolerance);
      ++found;
    } else {
      EXPECT_EQ(gradient, std::vector<float>(gradient.size(), 0.f)) << parameter.name;
    }
  }
  EXPECT_EQ(found, reached.size());
}

// Euler's steps, which the published sampler takes on the same points, with guidance of all
// channels where the file says so: throughout, or from guidance_low to guidance_high.
TEST_P(FeatureGolden, Samples) {
  const bool of_paths = !part().empty();
  const std::string group = "/expected/sample/" + part();
  const auto labels = file_.read<std::int64_t>("/inputs/sample/labels");
  PictureSampler sampler(run_->golden().model(), *backend_, GetParam().dtype);
  std::vector<std::string> kinds{"guided"};
  if (of_paths) kinds = {"unguided", "guided", "guided_interval"};
  for (const std::string& kind : kinds) {
    PictureRequest request;
    request.labels.assign(labels.begin(), labels.end());
    request.init_noise = file_.read<float>("/inputs/sample/z");
    request.batch = 2;
    request.solver = {.kind = SolverKind::kEuler, .spacing = "5"};
    // REPA-E's one sample: README of the golden values.
    const double scale = of_paths ? file_.number("/", "cfg_scale") : 1.9;
    if (!of_paths) request.guidance.high = 0.825;
    request.guidance.scale = kind == "unguided" ? 1 : scale;
    request.guidance.channels = {GuidedChannels::kAll};
    if (kind == "guided_interval") {
      request.guidance.low = file_.number("/", "guidance_low");
      request.guidance.high = file_.number("/", "guidance_high");
    }
    std::vector<float> latents(request.init_noise.size());
    sampler.run(request, latents);
    const double tolerance = GetParam().dtype == DType::kBFloat16 ? 1e-1 : 3e-5;
    expect_close(latents, of_paths ? group + "/ode_euler_" + kind : "/expected/sample_ode_euler",
                 tolerance);
  }
}

std::vector<GoldenPart> feature_parts() {
  std::vector<GoldenPart> all;
  for (const std::string& file : golden_models("sit+repa")) {
    for (const char* path : {"linear", "cosine"}) all.push_back({file, path});
  }
  for (const std::string& file : golden_models("sit+repa-e")) all.push_back({file});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, FeatureGolden, testing::ValuesIn(on_host(feature_parts())));
INSTANTIATE_TEST_SUITE_P(Cuda, FeatureGolden, testing::ValuesIn(on_gpu(feature_parts())));

}  // namespace
}  // namespace edt::test
