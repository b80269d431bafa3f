// FFN reuse against a reference of its own, as there is no published code: samples, and the share
// of hidden units that is computed anew.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "core/cuda/cuda_backend.h"
#include "model/sampling/picture_sampler.h"
#include "tests/golden/golden_model.h"

namespace edt::test {
namespace {

struct FfnCase {
  std::string file;
  const char* backend;
  DType dtype;
  double tolerance;
};

void PrintTo(const FfnCase& c, std::ostream* out) {
  *out << c.file << " on " << c.backend << " in " << name_of(c.dtype);
}

class FfnReuseGolden : public testing::TestWithParam<FfnCase> {};

// In bf16 activations near the threshold fall on its other side.
TEST_P(FfnReuseGolden, SamplesAndShares) {
  const GoldenFile file(GetParam().file);
  const auto backend = golden_backend(GetParam().backend);
  if (backend == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
  GoldenModel golden(file, *backend, GetParam().dtype);
  const auto labels = file.read<std::int64_t>("/inputs/sample/labels");
  PictureRequest request;
  request.labels.assign(labels.begin(), labels.end());
  request.init_noise = file.read<float>("/inputs/sample/z");
  request.batch = static_cast<std::int64_t>(labels.size());
  request.solver.kind = SolverKind::kDdim;
  request.solver.spacing =
      "ddim" + std::to_string(file.shape("/inputs/sample/timesteps_ddim").front());
  request.guidance.scale = file.number("/inputs/sample", "cfg_scale");
  request.guidance.channels = {3};
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

std::vector<FfnCase> ffn_cases(std::string_view which) {
  std::vector<FfnCase> all;
  for (const std::string& file : golden_models("dit ffn-reuse")) {
    if (which == "cuda") {
      all.push_back({file, "cuda", DType::kFloat32, 1e-4});
      continue;
    }
    all.push_back({file, "reference", DType::kFloat32, 3e-5});
    all.push_back({file, "cpu", DType::kFloat32, 3e-5});
    all.push_back({file, "cpu", DType::kBFloat16, 1e-1});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, FfnReuseGolden, testing::ValuesIn(ffn_cases("cpu")));
INSTANTIATE_TEST_SUITE_P(Cuda, FfnReuseGolden, testing::ValuesIn(ffn_cases("cuda")));

}  // namespace
}  // namespace edt::test
