// EDT against values computed with the published PyTorch implementation in float32.
//
// Tolerances, relative to the largest magnitude of each tensor: two honest float32 implementations
// differ by summation order only, 1e-5 on outputs and losses and 1e-4 on gradients (README of the
// golden values). In float64 our own rounding vanishes and PyTorch's is left: the XL model, 26
// blocks deep, differs by up to 1.7e-4 on gradients then, hence its wider bound.
#include <gtest/gtest.h>

#include <memory>

#include "core/cpu/cpu_backend.h"
#include "core/reference/reference_backend.h"
#include "model/diffusion/schedule.h"
#include "model/sampling/picture_sampler.h"
#include "tests/golden/golden_model.h"

namespace edt::test {
namespace {

struct Case {
  std::string file;
  const char* backend;
  DType dtype;
  double output_tolerance, gradient_tolerance;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.file << " on " << c.backend << " in " << name_of(c.dtype);
}

std::unique_ptr<Backend> make_backend(std::string_view name) {
  return name == "cpu" ? make_cpu_backend() : make_reference_backend();
}

class EdtGolden : public testing::TestWithParam<Case> {
 protected:
  EdtGolden()
      : backend_(make_backend(GetParam().backend)),
        file_(GetParam().file),
        golden_(file_, *backend_, GetParam().dtype) {}

  DType accurate() { return golden_.tape().accurate_dtype(); }
  Tensor input(const std::string& name) {
    Shape shape;
    for (std::int64_t dim : file_.shape(name)) shape.append(dim);
    return golden_.tensor(file_.read<float>(name), shape, accurate());
  }
  Tensor mask(const std::string& name) {
    const auto shape = file_.shape(name);
    return golden_.tensor(file_.read<float>(name), {shape[0], shape[1]}, DType::kFloat32);
  }
  std::vector<Tensor> masks() {
    std::vector<Tensor> masks;
    for (const MaskSpec& spec : golden_.model().masks()) {
      masks.push_back(mask("/inputs/mask_keep/" + spec.name));
    }
    return masks;
  }
  void expect_close(const std::vector<float>& actual, const std::string& name, double tolerance) {
    EXPECT_LE(relative_error(actual, file_.read<float>(name)), tolerance) << name;
  }

  // Adds one pass' loss and gradients; returns the mean loss.
  double run_pass(const std::string& noise_name, const std::vector<Tensor>& masks,
                  const std::string& expected) {
    Tape& tape = golden_.tape();
    const DiffusionSchedule schedule;
    const auto t64 = file_.read<std::int64_t>("/inputs/t");
    const std::vector<std::int32_t> t(t64.begin(), t64.end());
    const auto batch = static_cast<std::int64_t>(t.size());
    std::vector<float> scales(t.size() * 2), coefficients(t.size() * LossCoefficient::kCount);
    schedule.noise_scales(t, scales);
    schedule.loss_coefficients(t, 5, coefficients);
    LossInputs loss;
    loss.x_start = input("/inputs/x_start");
    loss.noise = input(noise_name);
    loss.x_t = golden_.tensor(std::vector<float>(static_cast<std::size_t>(loss.x_start.elements())),
                              loss.x_start.shape, accurate());
    backend_->add_noise(loss.x_start, loss.noise, golden_.tensor(scales, {batch, 2}, accurate()),
                        loss.x_t);
    loss.coefficients = golden_.tensor(coefficients, {batch, LossCoefficient::kCount}, accurate());
    loss.sample_weights = golden_.tensor(std::vector<float>(t.size(), 1.f), {batch}, accurate());
    const Tensor mse = golden_.tensor(std::vector<float>(t.size()), {batch}, accurate());
    const Tensor vb = golden_.tensor(std::vector<float>(t.size()), {batch}, accurate());
    double mean = 0;
    {
      const Var tokens = golden_.model().forward(
          tape,
          {loss.x_t, input("/inputs/t"),
           golden_.labels(file_.read<std::int64_t>("/inputs/labels_after_drop"))},
          masks);
      const Var total = diffusion_loss(tape, tokens, loss, mse, vb);
      mean = golden_.host(total.tensor())[0];
      tape.backward(total);
    }
    tape.clear();
    expect_close(golden_.host(mse), expected + "/mse", GetParam().output_tolerance);
    expect_close(golden_.host(vb), expected + "/vb", GetParam().output_tolerance);
    if (masks.empty()) expect_close(golden_.host(loss.x_t), "/expected/x_t", 1e-5);
    return mean;
  }

  std::unique_ptr<Backend> backend_;
  GoldenFile file_;
  GoldenModel golden_;
};

TEST_P(EdtGolden, LossesAndAllGradients) {
  double total = run_pass("/inputs/noise", {}, "/expected/full");
  total += run_pass("/inputs/noise_masked", masks(), "/expected/masked");
  const double expected = file_.read<double>("/expected/total_loss")[0];
  EXPECT_NEAR(total / expected, 1, GetParam().output_tolerance);
  for (const Parameter& parameter : golden_.model().parameters().all()) {
    expect_close(golden_.host(parameter.grad), "/grads/" + parameter.name,
                 GetParam().gradient_tolerance);
  }
}

TEST_P(EdtGolden, OutputsWithAndWithoutModulationMatrix) {
  Tape& tape = golden_.tape();
  const Tape::NoGrad inference(tape);
  const Tensor image = input("/expected/x_t");
  const Tensor out = golden_.tensor(
      std::vector<float>(static_cast<std::size_t>(2 * image.elements())),
      {image.shape[0], 2 * image.shape[1], image.shape[2], image.shape[3]}, accurate());
  const auto run = [&](const char* labels, const char* expected) {
    {
      const Var tokens = golden_.model().forward(
          tape, {image, input("/inputs/t"), golden_.labels(file_.read<std::int64_t>(labels))});
      backend_->unpatchify(tokens.tensor(), golden_.model().patch(), out);
    }
    tape.clear();
    expect_close(golden_.host(out), expected, GetParam().output_tolerance);
  };
  run("/inputs/labels_after_drop", "/expected/output_train");
  golden_.model().set_amm_blocks(golden_.amm_blocks());
  run("/inputs/labels_after_drop", "/expected/output_eval");
}

// Five steps with guidance on the first three channels and the modulation matrix; given noise.
TEST_P(EdtGolden, Samples) {
  if (accurate() != DType::kFloat32) GTEST_SKIP() << "samplers are float32";
  golden_.model().set_amm_blocks(golden_.amm_blocks());
  const auto labels = file_.read<std::int64_t>("/inputs/sample/labels");
  const auto step_noise = file_.read<float>("/inputs/sample/ddpm_step_noise");
  PictureRequest request;
  request.labels.assign(labels.begin(), labels.end());
  request.guidance.scale = file_.number("/inputs/sample", "cfg_scale");
  request.init_noise = file_.read<float>("/inputs/sample/z");
  PictureSampler sampler(golden_.model(), *backend_, GetParam().dtype);
  std::vector<float> latents(request.init_noise.size());
  for (const bool ddim : {false, true}) {
    request.sampler.kind = ddim ? SamplerKind::kDdim : SamplerKind::kDdpm;
    request.spacing = ddim ? "ddim5" : "5";
    request.step_noise = ddim ? std::vector<float>{} : step_noise;
    for (const std::int64_t batch : {2, 1, 3}) {
      request.batch = batch;
      sampler.run(request, latents);
      expect_close(latents, ddim ? "/expected/sample_ddim" : "/expected/sample_ddpm", 1e-4);
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& file : golden_models("edt")) {
    const bool deep = golden_config(GoldenFile(file)).blocks() > 20;
    const double gradient_tolerance = deep ? 2.5e-4 : 1e-4;
    for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
      all.push_back({file, "reference", dtype, 1e-5, gradient_tolerance});
    }
    all.push_back({file, "cpu", DType::kFloat32, 1e-5, gradient_tolerance});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, EdtGolden, testing::ValuesIn(cases()));

}  // namespace
}  // namespace edt::test
