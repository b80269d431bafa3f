// EDT, MDTv2 and DiT against values computed with the published PyTorch implementation in float32.
//
// Tolerances, relative to the largest magnitude of each tensor: two honest float32 implementations
// differ by summation order only, 1e-5 on outputs and losses and 1e-4 on gradients (README of the
// golden values). In float64 our own rounding vanishes and PyTorch's is left: then the XL model, 26
// blocks deep, differs by up to 1.7e-4 on gradients, and MDTv2 by 1.2e-4 on the one of pos_embed,
// where the gradients of all blocks meet. Hence their wider bounds.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "model/sampling/picture_sampler.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_run.h"

namespace edt::test {
namespace {

class Golden : public GoldenTest {
 protected:
  void begin() override { run_.emplace(file_, *backend_, GetParam().dtype); }

  Model& model() { return run_->golden().model(); }
  void expect_pass(const GoldenPass& pass, const std::string& expected) {
    expect_close(pass.mse, expected + "/mse", GetParam().output_tolerance);
    expect_close(pass.vb, expected + "/vb", GetParam().output_tolerance);
  }

  std::optional<GoldenRun> run_;
};

TEST_P(Golden, LossesAndAllGradients) {
  const GoldenStep step = run_->step();
  expect_close(step.x_t, "/expected/x_t", 1e-5);
  expect_pass(step.full, "/expected/full");
  if (step.masked) expect_pass(*step.masked, "/expected/masked");
  const double expected = file_.read<double>("/expected/total_loss")[0];
  EXPECT_NEAR(step.loss / expected, 1, GetParam().output_tolerance);
  for (const Parameter& parameter : model().parameters().all()) {
    expect_close(run_->golden().host(parameter.grad), "/grads/" + parameter.name,
                 GetParam().gradient_tolerance);
  }
  EXPECT_EQ(model().parameters().all().size(), file_.names("/grads").size());
}

// In eval mode the modulation matrix is on where a model has one.
TEST_P(Golden, OutputsWithAndWithoutModulationMatrix) {
  expect_close(run_->output(), "/expected/output_train", GetParam().output_tolerance);
  run_->golden().use_modulation();
  expect_close(run_->output(), "/expected/output_eval", GetParam().output_tolerance);
}

// Five steps with guidance on the first three channels and the modulation matrix; given noise.
TEST_P(Golden, Samples) {
  if (GetParam().dtype != DType::kFloat32) GTEST_SKIP() << "samplers are float32";
  run_->golden().use_modulation();
  const auto labels = file_.read<std::int64_t>("/inputs/sample/labels");
  const auto step_noise = file_.read<float>("/inputs/sample/ddpm_step_noise");
  PictureRequest request;
  request.labels.assign(labels.begin(), labels.end());
  request.guidance.scale = file_.number("/inputs/sample", "cfg_scale");
  request.guidance.power_cosine = file_.text("/", "model") == "mdtv2";
  request.init_noise = file_.read<float>("/inputs/sample/z");
  PictureSampler sampler(model(), *backend_, GetParam().dtype);
  std::vector<float> latents(request.init_noise.size());
  for (const bool ddim : {false, true}) {
    request.solver.kind = ddim ? SolverKind::kDdim : SolverKind::kDdpm;
    request.solver.spacing = ddim ? "ddim5" : "5";
    request.step_noise = ddim ? std::vector<float>{} : step_noise;
    for (const std::int64_t batch : sampling_batches(GetParam().backend)) {
      request.batch = batch;
      sampler.run(request, latents);
      expect_close(latents, ddim ? "/expected/sample_ddim" : "/expected/sample_ddpm", 1e-4);
    }
  }
}

// bf16 keeps 8 bits of every activation, through up to 26 blocks.
std::vector<GoldenCase> gpu_cases() {
  std::vector<GoldenCase> all;
  for (const char* kind : {"edt", "mdtv2", "dit"}) {
    for (const std::string& file : golden_models(kind)) {
      all.push_back({file, "", "cuda", DType::kFloat32, 1e-4, 3e-4});
      all.push_back({file, "", "cuda", DType::kBFloat16, 3e-2, 1e-1});
    }
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Cuda, Golden, testing::ValuesIn(gpu_cases()));

std::vector<GoldenCase> cases() {
  std::vector<GoldenCase> all;
  for (const char* kind : {"edt", "mdtv2", "dit"}) {
    for (const std::string& file : golden_models(kind)) {
      const ModelConfig config = golden_config(GoldenFile(file));
      const auto* edt = config.as<EdtConfig>();
      const bool deep = edt != nullptr && edt->blocks() > 20;
      const bool dropping = config.as<Mdtv2Config>() != nullptr;
      const double gradient_tolerance = deep ? 2.5e-4 : dropping ? 1.5e-4 : 1e-4;
      for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
        all.push_back({file, "", "reference", dtype, 1e-5, gradient_tolerance});
      }
      all.push_back({file, "", "cpu", DType::kFloat32, 1e-5, gradient_tolerance});
    }
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::ValuesIn(cases()));

}  // namespace
}  // namespace edt::test
