// Guided sampling of EDT, modulation matrix on, against the published samplers: five spaced steps
// with the same initial and step noise.
#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"
#include "model/diffusion/guidance.h"
#include "model/diffusion/sampler.h"
#include "tests/model/edt/golden_model.h"

namespace edt::test {
namespace {

class EdtSampling : public testing::TestWithParam<const char*> {
 protected:
  EdtSampling() : golden_(file_, *backend_, DType::kFloat32) {
    golden_.model().set_amm_blocks(golden_.model().config().amm_blocks);
  }

  // Both halves of the doubled batch: the labels, then "no class".
  std::vector<std::int64_t> doubled_labels() {
    auto labels = file_.read<std::int64_t>("/inputs/sample/labels");
    labels.resize(2 * labels.size(), golden_.model().classes());
    return labels;
  }

  Denoiser denoiser() {
    const Tensor labels = golden_.labels(doubled_labels());
    return [this, labels](const Tensor& x, std::span<const float> t, const Tensor& out) {
      Tape& tape = golden_.tape();
      const Tape::NoGrad inference(tape);
      const Tensor steps{const_cast<float*>(t.data()), {x.shape[0]}, DType::kFloat32};
      {
        const Var tokens = golden_.model().forward(tape, {x, steps, labels});
        backend_->unpatchify(tokens.tensor(), golden_.model().patch(), out);
      }
      tape.clear();
    };
  }

  void expect_sample(SamplerKind kind, const std::string& suffix) {
    const auto timesteps = file_.read<std::int64_t>("/inputs/sample/timesteps_" + suffix);
    const DiffusionSchedule full;
    const Sampler sampler(full.spaced(std::vector<int>(timesteps.begin(), timesteps.end())),
                          {.kind = kind});
    auto z = file_.read<float>("/inputs/sample/z");
    auto noise = file_.read<float>("/inputs/sample/ddpm_step_noise");
    const auto shape = file_.shape("/inputs/sample/z");
    const Tensor x = view_of(std::span(z), {shape[0], shape[1], shape[2], shape[3]});
    const Tensor all = view_of(std::span(noise), {5, shape[0], shape[1], shape[2], shape[3]});
    sampler.run(GuidedDenoiser(denoiser(), {.scale = file_.number("/inputs/sample", "cfg_scale")}),
                given_step_noise(all, 0), x);
    // As one forward pass; 4e-7 is measured.
    EXPECT_LE(relative_error(z, file_.read<float>("/expected/sample_" + suffix)), 1e-5);
  }

  GoldenFile file_{GetParam()};
  std::unique_ptr<Backend> backend_ = make_reference_backend();
  GoldenModel golden_;
};

TEST_P(EdtSampling, Ddpm) { expect_sample(SamplerKind::kDdpm, "ddpm"); }
TEST_P(EdtSampling, Ddim) { expect_sample(SamplerKind::kDdim, "ddim"); }

INSTANTIATE_TEST_SUITE_P(Models, EdtSampling, testing::Values("edt_s_tiny.h5", "edt_xl_tiny.h5"));

}  // namespace
}  // namespace edt::test
