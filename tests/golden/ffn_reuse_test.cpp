// FFN reuse against a reference of its own, as there is no published code: samples, and the share
// of hidden units that is computed anew.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "core/cuda/cuda_backend.h"
#include "tests/golden/golden_samples.h"

namespace edt::test {
namespace {

class FfnReuseGolden : public testing::TestWithParam<SamplesCase> {};

// In bf16 activations near the threshold fall on its other side.
TEST_P(FfnReuseGolden, SamplesAndShares) {
  const GoldenFile file(GetParam().file);
  const auto backend = golden_backend(GetParam().backend);
  if (backend == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
  GoldenModel golden(file, *backend, GetParam().dtype);
  PictureRequest request = samples_request(file);
  request.solver.kind = SolverKind::kDdim;
  request.solver.spacing =
      "ddim" + std::to_string(file.shape("/inputs/sample/timesteps_ddim").front());
  PictureSampler sampler(golden.model(), *backend, GetParam().dtype);
  std::vector<float> latents(request.init_noise.size());
  const bool is_float = GetParam().dtype == DType::kFloat32;
  int ways = 0;
  for (const std::string& name : file.names("/expected/ddim")) {
    const std::string expected = "/expected/ddim/" + name;
    std::optional<FfnReuse> reuse;
    if (name != "none") {
      reuse.emplace(FfnReuseConfig{.sparse_steps = static_cast<int>(
                                       file.read<double>(expected + "/sparse_steps")[0]),
                                   .threshold = file.read<double>(expected + "/tau")[0]},
                    *backend);
    }
    request.ffn_reuse = reuse ? &*reuse : nullptr;
    sampler.run(request, latents);
    EXPECT_LE(relative_error(latents, file.read<float>(expected + "/sample")), GetParam().tolerance)
        << name;
    if (!reuse) continue;
    ++ways;
    FfnUse all;
    for (const FfnUse& block : reuse->use()) all += block;
    EXPECT_NEAR(all.marked / all.dense_units, file.read<double>(expected + "/recomputed_share")[0],
                is_float ? 1e-6 : 5e-3)
        << name;
  }
  EXPECT_GE(ways, 3);
}

INSTANTIATE_TEST_SUITE_P(Models, FfnReuseGolden,
                         testing::ValuesIn(samples_cases({"dit ffn-reuse"}, false)));
INSTANTIATE_TEST_SUITE_P(Cuda, FfnReuseGolden,
                         testing::ValuesIn(samples_cases({"dit ffn-reuse"}, true)));

}  // namespace
}  // namespace edt::test
