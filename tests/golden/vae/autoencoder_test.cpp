// Autoencoders against values computed with the published PyTorch implementations in float32.
//
// Tolerances are of the norm. Two honest float32 implementations differ by 1e-5 at most (README of
// the golden values); decoding in bf16, with float32 norms and ends, by what PyTorch's own bf16
// differs on such random weights, 2 %.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/cpu/cpu_backend.h"
#include "core/cuda/cuda_backend.h"
#include "model/autoencoder/autoencoder.h"
#include "tests/golden/golden_file.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;

constexpr double kFloat32 = 1e-5, kBFloat16 = 2.5e-2;

fs::path golden_vae_dir() {
  return fs::exists(golden_dir() / "vae") ? golden_dir() / "vae" : golden_dir();
}

// A file of values, and one of the files of weights that they belong to.
struct Case {
  std::string backend, values, weights;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.weights << " on " << c.backend; }

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return fs::path(info.param.weights).stem().string();
}

bool is_autoencoder(const GoldenFile& file) {
  return file.has("inputs/pictures_u8") &&
         (file.has("expected/moments") || file.has("expected/z") ||
          file.has("expected/decoded_original_range"));
}

std::vector<fs::path> files_of(const char* extension) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(golden_vae_dir())) {
    if (entry.path().extension() == extension) found.push_back(entry.path());
  }
  return found;
}

// The weights of NAME.h5 are NAME.safetensors and NAME_layout.safetensors: what they are the
// attributes and values of the file say.
std::vector<Case> cases(const std::string& backend) {
  std::vector<Case> found;
  for (const fs::path& weights : files_of(".safetensors")) {
    fs::path values;  // of the longest name that begins that of the weights
    for (const fs::path& file : files_of(".h5")) {
      const std::string stem = file.stem();
      if (!weights.filename().string().starts_with(stem)) continue;
      if (stem.size() > values.stem().string().size()) values = file;
    }
    if (values.empty() || !is_autoencoder(GoldenFile(values))) continue;
    found.push_back({backend, values, weights});
  }
  std::ranges::sort(found, {}, &Case::weights);
  return found;
}

// [n, c, h, w] -> [n, h, w, c]
std::vector<float> pixels_of(const std::vector<float>& planes,
                             const std::vector<std::int64_t>& shape) {
  std::vector<float> pixels(planes.size());
  const std::int64_t channels = shape[1], area = shape[2] * shape[3];
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(planes.size()); ++i) {
    const std::int64_t n = i / (channels * area), c = i / area % channels, at = i % area;
    pixels[static_cast<std::size_t>((n * area + at) * channels + c)] =
        planes[static_cast<std::size_t>(i)];
  }
  return pixels;
}

class Vae : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().backend == "cuda") {
      if (cuda_device_count() == 0) GTEST_SKIP() << "no GPU: " << cuda_absence();
      backend_ = make_cuda_backend();
    } else {
      backend_ = make_cpu_backend();
    }
  }

  double attribute(const std::string& name, double otherwise) const {
    return file_.has_attribute("/", name) ? file_.number("/", name) : otherwise;
  }

  std::unique_ptr<Autoencoder> load(AutoencoderOptions options = {}) {
    options.scale = attribute("scaling_factor", 1);
    options.shift = attribute("shift_factor", 0);
    options.norm_groups = static_cast<std::int64_t>(attribute("norm_num_groups", 0));
    return Autoencoder::load(GetParam().weights, *backend_, options);
  }

  std::vector<std::uint8_t> bytes(const std::string& name) const {
    const auto values = file_.read<std::int64_t>(name);
    return {values.begin(), values.end()};
  }
  // Of [.., h, w, 3] bytes or [.., h, w] planes.
  PictureSize size(const std::string& name) const {
    const auto shape = file_.shape(name);
    const std::size_t rank = shape.size();
    return name.ends_with("_u8") ? PictureSize{shape[rank - 3], shape[rank - 2]}
                                 : PictureSize{shape[rank - 2], shape[rank - 1]};
  }
  std::vector<float> pixels(const std::string& name) const {
    return pixels_of(file_.read<float>(name), file_.shape(name));
  }
  void expect_near(const std::vector<float>& actual, const std::string& name,
                   double tolerance = kFloat32) const {
    EXPECT_LE(distance(actual, file_.read<float>(name)), tolerance) << name;
  }
  void expect_pixels(const std::vector<float>& actual, const std::string& name,
                     double tolerance = kFloat32) const {
    EXPECT_LE(distance(actual, pixels(name)), tolerance) << name;
  }

  // Encoded and decoded, of one of the groups of a file that have the same names.
  void expect_round(Autoencoder& vae, const std::string& group);

  std::unique_ptr<Backend> backend_;
  GoldenFile file_{GetParam().values};
};

void Vae::expect_round(Autoencoder& vae, const std::string& group) {
  const PictureSize sides = size(group + "inputs/pictures_u8");
  if (vae.info().has_encoder && vae.info().moments) {
    expect_near(vae.encode_raw(pixels(group + "inputs/pictures"), sides),
                group + "expected/moments");
    // From bytes: mean and standard deviation of each picture, then the latents that the model
    // sees.
    const std::vector<float> moments = vae.encode(bytes(group + "inputs/pictures_u8"), sides);
    std::vector<float> std, latents;
    const std::vector<float> noise = file_.read<float>(group + "inputs/noise");
    const std::size_t half =
        noise.size() / static_cast<std::size_t>(file_.shape(group + "inputs/noise")[0]);
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const std::size_t mean = i / half * 2 * half + i % half;
      std.push_back(moments[mean + half]);
      latents.push_back(moments[mean] + std.back() * noise[i]);
    }
    if (file_.has(group + "expected/std")) expect_near(std, group + "expected/std");
    if (file_.has(group + "expected/sample_unscaled")) {
      expect_near(latents, group + "expected/sample_unscaled");
    }
    vae.rescale(latents);
    if (file_.has(group + "expected/latents")) expect_near(latents, group + "expected/latents");
  }
  if (file_.has(group + "expected/z")) {
    expect_near(vae.encode(bytes(group + "inputs/pictures_u8"), sides), group + "expected/z");
    expect_pixels(vae.decode(file_.read<float>(group + "expected/z"), size(group + "expected/z")),
                  group + "expected/decoded");
    return;
  }
  if (!vae.info().has_decoder) return;
  const std::string source = file_.has(group + "expected/sample_unscaled")
                                 ? "expected/sample_unscaled"
                             : vae.info().moments ? "expected/latents"
                                                  : "inputs/latents";
  std::vector<float> z = file_.read<float>(group + source);
  vae.unscale(z);
  const std::vector<float> decoded = vae.decode(z, size(group + source));
  expect_pixels(decoded, group + "expected/decoded");
  if (!file_.has(group + "expected/decoded_u8")) return;
  std::vector<std::uint8_t> made(decoded.size());
  values_to_bytes(decoded, made);
  const std::vector<std::uint8_t> expected = bytes(group + "expected/decoded_u8");
  ASSERT_EQ(made.size(), expected.size());
  std::size_t others = 0;
  for (std::size_t i = 0; i < made.size(); ++i) {
    EXPECT_LE(std::abs(made[i] - expected[i]), 1) << i;
    others += made[i] != expected[i];
  }
  // 3 in 10000 lie within 1e-4 of a step.
  EXPECT_LE(others, 3 + made.size() / 2000) << "of " << made.size();
}

TEST_P(Vae, EncodesAndDecodes) {
  const auto vae = load();
  expect_round(*vae, "");
  if (file_.has("rect/inputs/pictures")) expect_round(*vae, "rect/");
}

TEST_P(Vae, MirroredPicture) {
  const std::string name = "expected/moments_of_flipped_picture";
  if (!file_.has(name)) GTEST_SKIP() << "none in " << GetParam().values;
  const auto vae = load();
  std::vector<float> picture = pixels("inputs/pictures");
  const PictureSize sides = size("inputs/pictures");
  for (std::size_t row = 0; row < picture.size();
       row += static_cast<std::size_t>(3 * sides.width)) {
    for (std::int64_t left = 0, right = sides.width - 1; left < right; ++left, --right) {
      std::swap_ranges(picture.begin() + static_cast<std::ptrdiff_t>(row) + 3 * left,
                       picture.begin() + static_cast<std::ptrdiff_t>(row) + 3 * left + 3,
                       picture.begin() + static_cast<std::ptrdiff_t>(row) + 3 * right);
    }
  }
  expect_near(vae->encode_raw(picture, sides), name);
}

TEST_P(Vae, Tiles) {
  if (!file_.has("tiled/inputs/pictures")) GTEST_SKIP() << "none in " << GetParam().values;
  const auto tile = static_cast<std::int64_t>(file_.number("tiled", "tile_sample_min_size"));
  const auto vae = load({.tile = tile});
  expect_near(vae->encode_raw(pixels("tiled/inputs/pictures"), size("tiled/inputs/pictures")),
              "tiled/expected/moments");
  expect_pixels(
      vae->decode(file_.read<float>("tiled/inputs/z_unscaled"), size("tiled/inputs/z_unscaled")),
      "tiled/expected/decoded");
}

TEST_P(Vae, Tiny) {
  if (!file_.has("expected/decoded_of_encoded")) GTEST_SKIP() << "no TAESD";
  const auto vae = load();
  if (vae->info().has_encoder) {
    const std::vector<float> latents =
        vae->encode(pixels("inputs/pictures"), size("inputs/pictures"));
    expect_near(latents, "expected/latents");
    if (!vae->info().has_decoder) return;
    expect_pixels(vae->decode(latents, size("expected/latents")), "expected/decoded_of_encoded");
  }
}

// What leaves no trace in the values: how a file names its tensors and stores its numbers.
TEST_P(Vae, BFloat16Decoding) {
  const auto vae = load({.decode = DType::kBFloat16});
  if (!vae->info().has_decoder) return;
  if (file_.has("expected/z")) {
    expect_pixels(vae->decode(file_.read<float>("expected/z"), size("expected/z")),
                  "expected/decoded", kBFloat16);
    return;
  }
  const bool unscaled = file_.has("expected/sample_unscaled");
  const std::string source = unscaled              ? "expected/sample_unscaled"
                             : vae->info().moments ? "expected/latents"
                                                   : "inputs/latents";
  std::vector<float> z = file_.read<float>(source);
  vae->unscale(z);
  const auto decoded = vae->decode(z, size(source));
  expect_pixels(decoded, "expected/decoded", kBFloat16);
  EXPECT_GT(distance(decoded, pixels("expected/decoded")), 1e-4) << "that was float32";
}

TEST_P(Vae, LogVariancesAreHeld) {
  if (!file_.has("clamp/inputs/moments")) GTEST_SKIP() << "none in " << GetParam().values;
  auto moments = file_.read<float>("clamp/inputs/moments");
  const auto expected = file_.read<float>("clamp/expected/std");
  const std::size_t pictures = static_cast<std::size_t>(file_.shape("clamp/inputs/moments")[0]);
  const std::size_t each = moments.size() / pictures;
  std::vector<float> std;
  for (std::size_t i = 0; i < pictures; ++i) {
    const auto one = std::span(moments).subspan(i * each, each);
    log_variances_to_deviations(one);
    std.insert(std.end(), one.begin() + static_cast<std::ptrdiff_t>(each / 2), one.end());
  }
  expect_near(std, "clamp/expected/std");
}

// Files of one network hold the same values in all their layouts.
TEST_P(Vae, ChecksumDoesNotDependOnTheLayout) {
  const auto vae = load();
  for (const Case& other : cases(GetParam().backend)) {
    if (other.values != GetParam().values) continue;
    AutoencoderOptions options{.norm_groups =
                                   static_cast<std::int64_t>(attribute("norm_num_groups", 0))};
    const auto twin = Autoencoder::load(other.weights, *backend_, options);
    EXPECT_EQ(twin->info().encoder_checksum, vae->info().encoder_checksum) << other.weights;
    EXPECT_EQ(twin->info().decoder_checksum, vae->info().decoder_checksum) << other.weights;
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Vae);
INSTANTIATE_TEST_SUITE_P(Cpu, Vae, testing::ValuesIn(cases("cpu")), name_of);
INSTANTIATE_TEST_SUITE_P(Cuda, Vae, testing::ValuesIn(cases("cuda")), name_of);

}  // namespace
}  // namespace edt::test
