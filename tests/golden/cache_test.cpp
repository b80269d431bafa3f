// Cached sampling, FORA and TaylorSeer, against the published rules: in DiT of the published code,
// in EDT of its network with the published rule. Which steps compute everything, and the samples.
// Tolerances as in flow_test.cpp.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "model/sampling/picture_sampler.h"
#include "tests/golden/golden_model.h"

namespace edt::test {
namespace {

struct CacheCase {
  std::string file;
  const char* backend;
  DType dtype;
  double tolerance;
};

void PrintTo(const CacheCase& c, std::ostream* out) {
  *out << c.file << " on " << c.backend << " in " << name_of(c.dtype);
}

class CacheGolden : public testing::TestWithParam<CacheCase> {
 protected:
  void SetUp() override {
    backend_ = golden_backend(GetParam().backend);
    if (backend_ == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
    golden_.emplace(file_, *backend_, GetParam().dtype);
    golden_->use_modulation();
  }

  // "n3" of FORA, "n4_o2" of TaylorSeer, "none".
  CacheConfig cache_of(const std::string& name) const {
    CacheConfig cache;
    if (name == "none") return cache;
    cache.kind = file_.text("/", "method") == "fora" ? CacheKind::kFora : CacheKind::kTaylor;
    cache.interval = std::stoi(name.substr(1));
    if (cache.kind == CacheKind::kTaylor) {
      cache.order = std::stoi(name.substr(name.find('o') + 1));
      cache.warmup = static_cast<int>(file_.number("/", "first_enhance"));
    }
    return cache;
  }

  bool is_on_gpu() const { return std::string_view(GetParam().backend) == "cuda"; }
  // All of a group; on the emulated GPU, which takes a hundred times as long, every third.
  std::vector<std::string> ways_of(const std::string& group) const {
    const std::vector<std::string> all = file_.names(group);
    if (!is_on_gpu()) return all;
    std::vector<std::string> some;
    for (std::size_t i = 1; i < all.size(); i += 3) some.push_back(all[i]);
    return some;
  }

  // The published timesteps are ascending, and none of them is skipped.
  std::string spacing_of(const std::string& sampler) const {
    const auto visited = file_.read<std::int64_t>("/inputs/sample/timesteps_" + sampler);
    return (sampler == "ddim" ? "ddim" : "") + std::to_string(visited.size());
  }

  std::unique_ptr<Backend> backend_;
  GoldenFile file_{GetParam().file};
  std::optional<GoldenModel> golden_;
};

TEST_P(CacheGolden, Samples) {
  const auto labels = file_.read<std::int64_t>("/inputs/sample/labels");
  PictureRequest request;
  request.labels.assign(labels.begin(), labels.end());
  request.init_noise = file_.read<float>("/inputs/sample/z");
  request.batch = static_cast<std::int64_t>(labels.size());
  PictureSampler sampler(golden_->model(), *backend_, GetParam().dtype);
  std::vector<float> latents(request.init_noise.size());
  int cached = 0;
  for (const std::string& group : file_.names("/expected")) {
    const std::string kind = group.substr(0, 4);  // ddim, ddpm, ddim_unguided
    request.solver.kind = kind == "ddim" ? SolverKind::kDdim : SolverKind::kDdpm;
    request.solver.spacing = spacing_of(kind);
    request.step_noise.clear();
    if (kind == "ddpm") request.step_noise = file_.read<float>("/inputs/sample/ddpm_step_noise");
    const bool guided = group.size() == 4;
    request.guidance.scale = guided ? file_.number("/inputs/sample", "cfg_scale") : 1;
    request.guidance.channels = {3};
    for (const std::string& name : ways_of("/expected/" + group)) {
      request.cache = cache_of(name);
      sampler.run(request, latents);
      const std::string expected = "/expected/" + group + "/" + name;
      EXPECT_LE(relative_error(latents, file_.read<float>(expected + "/sample")),
                GetParam().tolerance)
          << expected;
      if (!file_.has(expected + "/computed")) continue;
      ++cached;
      const auto computed = file_.read<std::int64_t>(expected + "/computed");
      const auto steps = static_cast<int>(file_.number("/", "steps"));
      CacheSchedule schedule(request.cache, steps);
      std::vector<std::int64_t> whole;
      for (int left = steps - 1; left >= 0; --left) {
        if (schedule.next()) whole.push_back(left);
      }
      EXPECT_THAT(whole, testing::ElementsAreArray(computed)) << expected;
      EXPECT_EQ(static_cast<std::size_t>(sampler.cache()->use().whole_steps), computed.size());
    }
  }
  EXPECT_GE(cached, is_on_gpu() ? 1 : 4);
}

std::vector<CacheCase> cache_cases(std::string_view which) {
  std::vector<CacheCase> all;
  for (const char* kind : {"dit fora", "edt fora", "dit taylorseer"}) {
    for (const std::string& file : golden_models(kind)) {
      if (which == "cuda") {
        all.push_back({file, "cuda", DType::kFloat32, 1e-4});
        continue;
      }
      all.push_back({file, "reference", DType::kFloat32, 3e-5});
      all.push_back({file, "cpu", DType::kFloat32, 3e-5});
      all.push_back({file, "cpu", DType::kBFloat16, 1e-1});
    }
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, CacheGolden, testing::ValuesIn(cache_cases("cpu")));
INSTANTIATE_TEST_SUITE_P(Cuda, CacheGolden, testing::ValuesIn(cache_cases("cuda")));

}  // namespace
}  // namespace edt::test
