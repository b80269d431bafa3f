// Ternary weights in DiT and EDT, with a norm behind the adaLN projections of blocks, against
// TerDiT's formulas in the published blocks: losses, gradients of every weight, scale and norm,
// outputs and samples. No weight of a file is near where it rounds the other way in float32; in
// bf16 some are.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "core/optim/grad_norm.h"
#include "core/storage/packed_digits.h"
#include "model/sampling/picture_sampler.h"
#include "model/ternary.h"
#include "model/weights.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_run.h"
#include "tests/golden/golden_samples.h"

namespace edt::test {
namespace {

std::vector<GoldenPart> files(std::initializer_list<const char*> kinds = {"dit ternary",
                                                                          "edt ternary"}) {
  std::vector<GoldenPart> all;
  for (const char* kind : kinds) {
    for (const std::string& file : golden_models(kind)) all.push_back({file});
  }
  return all;
}

std::vector<GoldenCase> in_float(std::vector<GoldenCase> all) {
  std::erase_if(all, [](const GoldenCase& one) { return one.dtype == DType::kBFloat16; });
  return all;
}

class TernaryGolden : public GoldenTest {
 protected:
  void begin() override { run_.emplace(file_, *backend_, GetParam().dtype); }

  Model& model() { return run_->golden().model(); }
  std::vector<float> sampled() {
    run_->golden().use_modulation();
    PictureRequest request = samples_request(file_);
    request.solver.kind = SolverKind::kDdim;
    const auto times = file_.read<std::int64_t>("/inputs/sample/timesteps_ddim");
    request.solver.spacing = "ddim" + std::to_string(times.size());
    std::vector<float> latents(request.init_noise.size());
    PictureSampler(model(), *backend_, GetParam().dtype).run(request, latents);
    return latents;
  }

  std::optional<GoldenRun> run_;
};

TEST_P(TernaryGolden, LossesAndAllGradients) {
  for (const Recompute recompute : {Recompute::kLeast, Recompute::kSelective, Recompute::kFull}) {
    run_.emplace(file_, *backend_, GetParam().dtype);
    model().set_recompute(recompute);
    const GoldenStep step = run_->step();
    expect_close(step.full.mse, "/expected/full/mse", GetParam().output_tolerance);
    expect_close(step.full.vb, "/expected/full/vb", GetParam().output_tolerance);
    const double expected = file_.read<double>("/expected/total_loss")[0];
    EXPECT_NEAR(step.loss / expected, 1, GetParam().output_tolerance);
    for (const Parameter& parameter : model().parameters().all()) {
      expect_close(run_->golden().host(parameter.grad), "/grads/" + parameter.name,
                   GetParam().gradient_tolerance);
    }
    EXPECT_EQ(model().parameters().all().size(), file_.names("/grads").size());
  }
}

TEST_P(TernaryGolden, Outputs) {
  expect_close(run_->output(), "/expected/output_train", GetParam().output_tolerance);
  run_->golden().use_modulation();
  expect_close(run_->output(file_.read<std::int64_t>("/inputs/labels")), "/expected/output_eval",
               GetParam().output_tolerance);
}

TEST_P(TernaryGolden, Samples) { expect_close(sampled(), "/expected/sample_ddim", 1e-4); }

INSTANTIATE_TEST_SUITE_P(Cuda, TernaryGolden, testing::ValuesIn(in_float(on_gpu(files()))));
INSTANTIATE_TEST_SUITE_P(Models, TernaryGolden, testing::ValuesIn(in_float(on_host(files()))));

// Samples of the model whose weights are quantized once have the bits of the one that quantizes in
// each product.
class TernaryFiles : public testing::TestWithParam<GoldenPart> {};

TEST_P(TernaryFiles, FoldedWeightsAreTheSameModel) {
  const GoldenFile file(GetParam().file);
  const auto backend = golden_backend("cpu");
  GoldenModel golden(file, *backend, DType::kFloat32);
  golden.use_modulation();
  const PictureRequest request = samples_request(file);
  std::vector<float> before(request.init_noise.size()), after(before.size());
  PictureSampler(golden.model(), *backend, DType::kFloat32).run(request, before);

  ParameterList& parameters = golden.model().parameters();
  const FlatLayout layout =
      FlatLayout::of(parameter_pointers(parameters), static_cast<std::int64_t>(kNormBlock));
  std::vector<float> weights(static_cast<std::size_t>(layout.size()));
  for (const Parameter& parameter : parameters.all()) {
    const auto values = golden.host(parameter.value);
    std::copy(values.begin(), values.end(),
              weights.begin() + layout.tensor(layout.find(parameter.name)).offset);
  }
  fold_ternary(parameters, layout, weights);
  const BoundWeights bound(*backend, parameters, layout, weights, DType::kFloat32);
  PictureSampler(golden.model(), *backend, DType::kFloat32).run(request, after);
  EXPECT_EQ(before, after);
}

INSTANTIATE_TEST_SUITE_P(Models, TernaryFiles, testing::ValuesIn(files()));

class TernaryPacking : public testing::TestWithParam<GoldenPart> {};

// Digits, mean magnitudes and packed bytes of every matrix, those of TerDiT's own network too.
TEST_P(TernaryPacking, IsThePublishedOne) {
  const GoldenFile file(GetParam().file);
  const std::vector<std::string> matrices = file.names("/expected/packed");
  EXPECT_FALSE(matrices.empty());
  for (const std::string& matrix : matrices) {
    const std::string parameter = "/params/" + matrix + ".weight";
    const auto weight = file.read<float>(parameter);
    const std::vector<std::int8_t> digits = ternary_digits(weight);
    const auto packed = pack_digits(digits, file.shape(parameter)[0]);
    EXPECT_EQ(std::vector<std::int64_t>(digits.begin(), digits.end()),
              file.read<std::int64_t>("/expected/ternary/" + matrix))
        << matrix;
    EXPECT_EQ(std::vector<std::int64_t>(packed.begin(), packed.end()),
              file.read<std::int64_t>("/expected/packed/" + matrix))
        << matrix;
    const double gamma = file.read<double>("/expected/gamma/" + matrix)[0];
    EXPECT_NEAR(mean_magnitude(weight) / gamma, 1, 1e-6) << matrix;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, TernaryPacking,
                         testing::ValuesIn(files({"dit ternary", "edt ternary",
                                                  "dit_llama terdit"})));

}  // namespace
}  // namespace edt::test
