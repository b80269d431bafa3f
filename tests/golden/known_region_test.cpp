// Sampling around what is known, and strips of windows that know a part of the one before.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>

#include "core/cuda/cuda_backend.h"
#include "model/diffusion/spacing.h"
#include "tests/golden/golden_samples.h"

namespace edt::test {
namespace {

class KnownRegionGolden : public testing::TestWithParam<SamplesCase> {
 protected:
  void SetUp() override {
    backend_ = golden_backend(GetParam().backend);
    if (backend_ == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
    const bool own = file_.has("/params");
    const GoldenFile weights(own ? GetParam().file : file_.text("/", "weights"));
    golden_.emplace(weights, *backend_, GetParam().dtype);
  }

  PictureRequest request(std::vector<std::int32_t> labels) const {
    PictureRequest request{.labels = std::move(labels)};
    request.batch = static_cast<std::int64_t>(request.labels.size());
    request.solver.kind = SolverKind::kDdim;
    request.solver.spacing = spacing();
    request.guidance.scale = file_.number("/", "cfg_scale");
    request.guidance.power_cosine = true;
    return request;
  }
  // The one whose timesteps are the file's, which are listed from high to low.
  std::string spacing() const {
    auto times = file_.read<std::int64_t>("/inputs/timesteps");
    std::ranges::reverse(times);
    const int steps = Process(golden_->config().common().process).steps();
    for (const std::string kind : {"", "ddim"}) {
      std::string one = kind + std::to_string(times.size());
      if (std::ranges::equal(space_timesteps(steps, one), times)) return one;
    }
    throw std::runtime_error(GetParam().file + ": timesteps of no spacing");
  }
  std::vector<std::int32_t> labels() const {
    const auto labels = file_.read<std::int64_t>("/inputs/labels");
    return {labels.begin(), labels.end()};
  }
  std::vector<float> sample(const PictureRequest& request) {
    PictureSampler sampler(golden_->model(), *backend_, GetParam().dtype);
    std::vector<float> latents(request.labels.size() * sampler.picture_elements());
    sampler.run(request, latents);
    return latents;
  }

  std::unique_ptr<Backend> backend_;
  GoldenFile file_{GetParam().file};
  std::optional<GoldenModel> golden_;
};

TEST_P(KnownRegionGolden, IsSampledAround) {
  PictureRequest around = request(labels());
  around.init_noise = file_.read<float>("/inputs/z");
  if (file_.has("/expected/plain")) {
    EXPECT_LE(relative_error(sample(around), file_.read<float>("/expected/plain")),
              GetParam().tolerance);
  }
  KnownRegion known{.latents = file_.read<float>("/inputs/known"),
                    .noise = file_.read<float>("/inputs/known_noise")};
  for (const float kept : file_.read<float>("/inputs/mask")) known.mask.push_back(kept != 0);
  around.known = std::move(known);
  EXPECT_LE(relative_error(sample(around), file_.read<float>("/expected/sample")),
            GetParam().tolerance);
}

// Columns first ... of rows of `width` values, `count` of them.
std::vector<float> columns(const std::vector<float>& values, std::int64_t width, std::int64_t first,
                           std::int64_t count) {
  std::vector<float> found;
  for (auto row = values.begin(); row != values.end(); row += width) {
    found.insert(found.end(), row + first, row + first + count);
  }
  return found;
}

TEST_P(KnownRegionGolden, StripOfWindows) {
  if (!file_.has("/expected/strip")) GTEST_SKIP() << "there is none in this file";
  const auto overlap = static_cast<std::int64_t>(file_.number("/", "overlap"));
  const auto windows = static_cast<std::int64_t>(file_.number("/", "blocks"));
  const LatentShape window = golden_->model().latents();
  const auto strip = file_.read<float>("/expected/strip");
  const std::int64_t whole = file_.shape("/expected/strip")[3];
  const auto z = file_.read<float>("/inputs/blocks/z"),
             noise = file_.read<float>("/inputs/blocks/known_noise");
  const auto part_of = [&](const std::vector<float>& all, std::int64_t i) {
    const auto size = static_cast<std::int64_t>(all.size()) / windows;
    return std::vector<float>(all.begin() + i * size, all.begin() + (i + 1) * size);
  };
  std::vector<float> before;
  for (std::int64_t i = 0; i < windows; ++i) {
    PictureRequest around = request({labels().front()});
    around.init_noise = part_of(z, i);
    if (i > 0) {
      // The last columns of the window before become the first.
      KnownRegion known{.noise = part_of(noise, i)};
      for (std::int64_t place = 0; place < window.elements(); ++place) {
        const std::int64_t x = place % window.width;
        const std::int64_t from = x < overlap ? place + window.width - overlap : place;
        known.latents.push_back(before[static_cast<std::size_t>(from)]);
        if (place < window.height * window.width) known.mask.push_back(x < overlap);
      }
      around.known = std::move(known);
    }
    before = sample(around);
    const std::int64_t left = i * (window.width - overlap);
    EXPECT_LE(relative_error(before, columns(strip, whole, left, window.width)),
              GetParam().tolerance)
        << "window " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, KnownRegionGolden,
                         testing::ValuesIn(samples_cases({"inpaint"}, false)));
INSTANTIATE_TEST_SUITE_P(Cuda, KnownRegionGolden,
                         testing::ValuesIn(samples_cases({"inpaint"}, true)));

}  // namespace
}  // namespace edt::test
