// Cached sampling, FORA and TaylorSeer, against the published rules: in DiT of the published code,
// in EDT of its network with the published rule. Which steps compute everything, and the samples.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "tests/golden/golden_samples.h"

namespace edt::test {
namespace {

class CacheGolden : public testing::TestWithParam<SamplesCase> {
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

  // All of a group; on the emulated GPU, which takes a hundred times as long, every third.
  std::vector<std::string> ways_of(const std::string& group) const {
    const std::vector<std::string> all = file_.names(group);
    if (!GetParam().is_on_gpu()) return all;
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
  PictureRequest request = samples_request(file_);
  const double scale = request.guidance.scale;
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
    request.guidance.scale = guided ? scale : 1;
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
  EXPECT_GE(cached, GetParam().is_on_gpu() ? 1 : 4);
}

std::vector<SamplesCase> cache_cases(bool on_gpu) {
  return samples_cases({"dit fora", "edt fora", "dit taylorseer"}, on_gpu);
}
INSTANTIATE_TEST_SUITE_P(Models, CacheGolden, testing::ValuesIn(cache_cases(false)));
INSTANTIATE_TEST_SUITE_P(Cuda, CacheGolden, testing::ValuesIn(cache_cases(true)));

}  // namespace
}  // namespace edt::test
