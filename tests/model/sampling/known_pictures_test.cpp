// Pictures around what is known of them, and pictures of several windows: what is exact.
#include <gmock/gmock.h>

#include <cmath>

#include "core/cpu/cpu_backend.h"
#include "model/sampling/picture_sampler.h"
#include "tests/core/storage/expect_error.h"
#include "tests/model/sampling/drawn_model.h"
#include "tests/support/tiny_models.h"

namespace edt::test {
namespace {

struct Way {
  ModelConfig model;
  SolverKind solver;
};

std::vector<Way> ways() {
  std::vector<Way> all{{tiny_edt(), SolverKind::kDdpm},
                       {tiny_edt(), SolverKind::kDdim},
                       {tiny_mdtv2(), SolverKind::kDpm}};
  for (const auto solver : {SolverKind::kDdim, SolverKind::kEuler, SolverKind::kHeun,
                            SolverKind::kSdeEuler, SolverKind::kSdeHeun, SolverKind::kDpm}) {
    all.push_back({of_a_flow(tiny_dit()), solver});
  }
  return all;
}

class KnownPictures : public testing::TestWithParam<Way> {
 protected:
  PictureRequest request() const {
    PictureRequest request{.labels = {0, 1, 2}, .seed = 4, .batch = 2};
    request.solver.kind = GetParam().solver;
    request.solver.spacing = "4";
    request.guidance.scale = 1.5;
    return request;
  }
  // Of one picture for all, known where `is_known(row, column)`.
  template <class F>
  KnownRegion region(F is_known) const {
    KnownRegion known;
    known.latents.resize(static_cast<std::size_t>(shape_.elements()));
    random::fill_normal({.seed = 77}, known.latents);
    for (std::int64_t y = 0; y < shape_.height; ++y) {
      for (std::int64_t x = 0; x < shape_.width; ++x) known.mask.push_back(is_known(y, x));
    }
    return known;
  }
  std::vector<float> pictures(const PictureRequest& request) {
    const std::int64_t count = static_cast<std::int64_t>(request.labels.size());
    std::vector<float> latents(
        static_cast<std::size_t>(count * sampler_.shape_of(request).elements()));
    sampler_.run(request, latents);
    return latents;
  }

  static void expect_close(const std::vector<float>& actual, const std::vector<float>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    float largest = 0;
    for (const float value : expected) largest = std::max(largest, std::fabs(value));
    for (std::size_t i = 0; i < actual.size(); ++i) {
      ASSERT_NEAR(actual[i], expected[i], 1e-4 * largest) << i;
    }
  }

  const LatentShape shape_ = GetParam().model.latents();
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  DrawnModel model_{GetParam().model, *backend_};
  PictureSampler sampler_{*model_, *backend_, DType::kFloat32};
};

TEST_P(KnownPictures, OfWhichNothingIsKnownArePlain) {
  const std::vector<float> plain = pictures(request());
  PictureRequest around = request();
  around.known = region([](auto, auto) { return false; });
  EXPECT_EQ(pictures(around), plain);
  PictureRequest alone = request();
  alone.extension = {.columns = 1, .rows = 1, .overlap = 4};
  EXPECT_EQ(pictures(alone), plain);
}

TEST_P(KnownPictures, KeepWhatIsKnown) {
  PictureRequest around = request();
  around.known = region([](auto, std::int64_t x) { return x < 6; });
  const std::vector<float> made = pictures(around), plain = pictures(request());
  for (std::size_t i = 0; i < made.size(); ++i) {
    const std::size_t place = i % static_cast<std::size_t>(shape_.elements());
    const bool is_known = place % static_cast<std::size_t>(shape_.width) < 6;
    if (is_known) {
      ASSERT_EQ(made[i], around.known->latents[place]) << i;
    }
    ASSERT_TRUE(std::isfinite(made[i]));
  }
  EXPECT_NE(made, plain);
  around.known = region([](auto, auto) { return true; });
  const std::vector<float> all = pictures(around);
  const auto each = static_cast<std::ptrdiff_t>(shape_.elements());
  EXPECT_EQ(std::vector<float>(all.begin() + each, all.begin() + 2 * each), around.known->latents);
}

// A picture does not depend on those beside it; products of batches of other sizes round otherwise,
// through four steps.
TEST_P(KnownPictures, DependOnNothingElse) {
  PictureRequest around = request();
  around.known = region([](std::int64_t y, auto) { return y >= 8; });
  const std::vector<float> together = pictures(around);
  around.batch = 1;
  expect_close(pictures(around), together);
  PictureRequest wide = request();
  wide.extension = {.columns = 2, .rows = 1, .overlap = 6};
  const std::vector<float> strips = pictures(wide);
  wide.batch = 1;
  expect_close(pictures(wide), strips);
}

TEST_P(KnownPictures, AStripBeginsWithTheShorterOne) {
  const auto strip_of = [&](std::int64_t columns, std::int64_t rows) {
    PictureRequest wide = request();
    wide.labels = {1};
    wide.extension = {.columns = columns, .rows = rows, .overlap = 4};
    return pictures(wide);
  };
  const auto part = [&](const std::vector<float>& all, std::int64_t width, std::int64_t height) {
    const std::int64_t planes = shape_.channels;
    const auto whole_height = static_cast<std::int64_t>(all.size()) / planes / width;
    std::vector<float> found;
    for (std::int64_t line = 0; line < planes * whole_height; ++line) {
      if (line % whole_height >= height) continue;
      const auto at = all.begin() + line * width;
      found.insert(found.end(), at, at + shape_.width);
    }
    return found;
  };
  PictureRequest plain = request();
  plain.labels = {1};
  const std::vector<float> one = pictures(plain), two = strip_of(2, 1), square = strip_of(2, 2);
  const std::int64_t wide = 2 * shape_.width - 4;
  EXPECT_EQ(static_cast<std::int64_t>(two.size()), shape_.channels * shape_.height * wide);
  EXPECT_EQ(part(two, wide, shape_.height), one);
  EXPECT_EQ(part(square, wide, shape_.height), one);
  std::vector<float> above;  // the upper rows of the square are the strip
  for (std::size_t i = 0; i < square.size(); ++i) {
    const auto line = static_cast<std::int64_t>(i) / wide % (2 * shape_.height - 4);
    if (line < shape_.height) above.push_back(square[i]);
  }
  EXPECT_EQ(above, two);
}

TEST_P(KnownPictures, StepsTakenAgainChangeTheRestAlone) {
  PictureRequest around = request();
  around.known = region([](auto, std::int64_t x) { return x < 6; });
  const std::vector<float> once = pictures(around);
  around.resample = 3;
  if (!make_solver((*model_).process(), around.solver)->forgets()) {
    EXPECT_ERROR(pictures(around), UsageError, "resample is 3", "dpm++");
    return;
  }
  const std::vector<float> again = pictures(around);
  EXPECT_NE(again, once);
  for (std::size_t i = 0; i < again.size(); ++i) {
    if (i % static_cast<std::size_t>(shape_.width) < 6) {
      ASSERT_EQ(again[i], once[i]);
    }
    ASSERT_TRUE(std::isfinite(again[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, KnownPictures, testing::ValuesIn(ways()), [](const auto& one) {
  std::string name = one.param.model.name() + "_" + std::string(name_of(one.param.solver));
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

// Data are standard normal, and so is x at every step of DDPM: predicted noise is sigma x. Going
// back over a step and taking it again keeps that; 16,384 values, five deviations of their
// variance.
TEST(Resampling, KeepsTheDistribution) {
  const Process process({});
  const auto solver = make_solver(process, {.kind = SolverKind::kDdpm, .spacing = "100"});
  const Denoiser perfect = [&](const Tensor& x, const Evaluation& at, const Tensor& out) {
    const auto sigma = static_cast<float>(process.at(at.t).sigma);
    std::ranges::fill(out.span<float>(), 1.0f);  // the upper bound of the variance, theirs
    for (std::int64_t i = 0; i < x.elements(); ++i) out.as<float>()[i] = sigma * x.as<float>()[i];
  };
  constexpr std::size_t kValues = 16384;
  std::vector<float> values(kValues);
  const Tensor x = view_of(std::span(values), {1, 1, 128, 128});
  const std::vector<float> nothing(kValues);
  const std::vector<std::uint8_t> nowhere(kValues);
  for (const int times : {1, 4}) {
    fill_initial_noise(3, 0, x);
    run_around(*solver, process, perfect, keyed_step_noise(3, 0),
               {nothing, nowhere, keyed_known_noise(3, 0)}, {times, keyed_back_noise(3, 0)}, x);
    double sum = 0, squares = 0;
    for (const float value : values) {
      sum += value;
      squares += double{value} * value;
    }
    EXPECT_NEAR(sum / kValues, 0, 5 / std::sqrt(kValues)) << times;
    EXPECT_NEAR(squares / kValues, 1, 5 * std::sqrt(2.0 / kValues)) << times;
  }
}

TEST(KnownRequests, ThatDoNotFitAreRefused) {
  const auto backend = make_cpu_backend();
  DrawnModel model(tiny_dit(), *backend);
  PictureSampler sampler(*model, *backend, DType::kFloat32);
  std::vector<float> latents;
  PictureRequest request{.labels = {0, 1}};
  request.solver.spacing = "4";
  const auto refused = [&](auto change) {
    PictureRequest changed = request;
    change(changed);
    latents.resize(2 * static_cast<std::size_t>(sampler.shape_of(changed).elements()));
    sampler.run(changed, latents);
  };
  KnownRegion region{.latents = std::vector<float>(1024), .mask = std::vector<std::uint8_t>(256)};
  EXPECT_ERROR(refused([&](auto& r) {
                 r.known = region;
                 r.known->latents.resize(1000);
               }),
               UsageError, "1000 values, 1024 or 2048");
  EXPECT_ERROR(refused([&](auto& r) {
                 r.known = region;
                 r.known->mask.resize(255);
               }),
               UsageError, "255 values, 256 or 512");
  EXPECT_ERROR(refused([&](auto& r) {
                 r.known = region;
                 r.known->noise.resize(7);
               }),
               UsageError, "7 values");
  EXPECT_ERROR(refused([&](auto& r) {
                 r.known = region;
                 r.extension = {.columns = 2, .overlap = 4};
               }),
               UsageError, "several windows");
  EXPECT_ERROR(refused([](auto& r) { r.extension = {.columns = 2, .overlap = 16}; }), UsageError,
               "16 latents", "1 to 15");
  EXPECT_ERROR(refused([](auto& r) { r.extension = {.columns = 17, .overlap = 4}; }), UsageError,
               "17 x 1");
  EXPECT_ERROR(refused([](auto& r) {
                 r.extension = {.columns = 2, .overlap = 4};
                 r.init_noise.resize(2048);
               }),
               UsageError, "noise is given");
  EXPECT_ERROR(refused([&](auto& r) {
                 r.known = region;
                 r.resample = 2;
                 r.cache = {.kind = CacheKind::kFora, .interval = 2};
               }),
               UsageError, "resample is 2", "cache");
}

}  // namespace
}  // namespace edt::test
