// Histograms of oriented gradients: what they say of known pictures, and beside the latents of a
// synthetic set.
#include "data/gradient_features.h"

#include <functional>

#include "core/image/image.h"
#include "data/dataset.h"
#include "data/synth.h"
#include "data/synth_picture.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

using edt::test::TempDir;

constexpr int kSize = 64, kTokens = 4, kBins = 9, kOfScale = 12, kDims = 36;

Image drawn(const std::function<int(int x, int y)>& gray) {
  Image image(kSize, kSize);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      for (int colour = 0; colour < 3; ++colour) {
        image.pixel(x, y)[colour] = static_cast<std::uint8_t>(gray(x, y));
      }
    }
  }
  return image;
}

std::vector<float> features_of(const Image& image) {
  const GradientFeatures gradients("test", kSize, 8);
  std::vector<float> features(gradients.elements());
  gradients.compute(image.pixels, features);
  return features;
}

const float* of_token(const std::vector<float>& features, int row, int column, int scale = 0) {
  return features.data() + (row * kTokens + column) * kDims + scale * kOfScale;
}

TEST(GradientFeatures, OfAnEvenPictureAreItsColour) {
  Image image(kSize, kSize);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = i % 3 == 0 ? 255 : 0;
  for (std::size_t i = 2; i < image.pixels.size(); i += 3) image.pixels[i] = 51;
  const auto features = features_of(image);
  for (std::size_t i = 0; i < features.size(); ++i) {
    const std::size_t place = i % kOfScale;
    const float expected = place < kBins    ? 0.f
                           : place == kBins ? 1.f
                                            : (place == kBins + 1 ? -1.f : -0.6f);
    EXPECT_NEAR(features[i], expected, 1e-6) << i;
  }
}

// Downwards a slope is in the middle bin alone; across it lies between the last and the first.
TEST(GradientFeatures, TellOrientations) {
  const auto down = features_of(drawn([](int, int y) { return 2 * y; })),
             across = features_of(drawn([](int x, int) { return 2 * x; }));
  for (int token = 0; token < kTokens * kTokens; ++token) {
    for (int scale = 0; scale < 3; ++scale) {
      const float* d = of_token(down, token / kTokens, token % kTokens, scale);
      const float* a = of_token(across, token / kTokens, token % kTokens, scale);
      float sum = 0;
      for (int bin = 0; bin < kBins; ++bin) {
        sum += d[bin];
        EXPECT_TRUE(bin == 4 || d[bin] == d[0]) << bin;
        EXPECT_TRUE(bin == 0 || bin == 8 || a[bin] == a[4]) << bin;
      }
      EXPECT_NEAR(sum, 0, 1e-5);
      EXPECT_GT(d[4] - d[0], 0.7);  // the slope is 4 / 255, so a length of 0.84
      EXPECT_LT(d[4] - d[0], 0.9);
      EXPECT_NEAR(a[0], a[8], 1e-5);
      EXPECT_NEAR(a[0] - a[4], 0.525, 0.03);  // half of it in each
    }
  }
}

// A dot is seen by the squares that it lies in, twice and four times as large as a token.
TEST(GradientFeatures, SeeAsFarAsTheirScale) {
  const auto without = features_of(drawn([](int, int) { return 100; }));
  const auto changed = [&](int x, int y, int scale) {
    const auto with =
        features_of(drawn([=](int px, int py) { return px == x && py == y ? 200 : 100; }));
    const float *a = of_token(with, 1, 1, scale), *b = of_token(without, 1, 1, scale);
    return !std::equal(a, a + kOfScale, b);
  };
  const auto seen = [&](int x, int y) {
    return std::vector<bool>{changed(x, y, 0), changed(x, y, 1), changed(x, y, 2)};
  };
  EXPECT_EQ(seen(20, 20), (std::vector{true, true, true}));    // token 1, 1 is 16 to 31
  EXPECT_EQ(seen(12, 20), (std::vector{false, true, true}));   // 8 to 39
  EXPECT_EQ(seen(45, 45), (std::vector{false, false, true}));  // to 55
  EXPECT_EQ(seen(60, 20), (std::vector{false, false, false}));
}

TEST(GradientFeatures, OfTheMirroredPictureAreMirrored) {
  const Image image = draw_synth_picture(3, kSize, 1, 5);
  const auto plain = features_of(image), other = features_of(mirrored(image));
  for (int row = 0; row < kTokens; ++row) {
    for (int column = 0; column < kTokens; ++column) {
      for (int i = 0; i < kDims; ++i) {
        const int place = i % kOfScale, scale = i / kOfScale;
        const int turned = place < kBins ? kBins - 1 - place : place;
        EXPECT_NEAR(of_token(plain, row, column, scale)[place],
                    of_token(other, row, kTokens - 1 - column, scale)[turned], 1e-4);
      }
    }
  }
  EXPECT_NE(plain, other);
}

TEST(GradientFeatures, StandBesideSyntheticLatents) {
  const TempDir directory;
  const SynthOptions options{.out = directory / "set",
                             .samples = 20,
                             .image_size = kSize,
                             .seed = 2,
                             .flipped = true,
                             .hog = true,
                             .samples_per_shard = 12};
  synthesize(options);
  const Dataset dataset(directory / "set", {.arrays = {{"hog", {kTokens * kTokens, kDims}}}});
  ReadScratch scratch;
  for (std::uint32_t i = 0; i < 20; ++i) {
    const Image image = draw_synth_picture(static_cast<int>(i % 12), kSize, 2, i);
    for (const bool flipped : {false, true}) {
      std::vector<float> read(dataset.arrays()[0].elements);
      dataset.read_array(0, std::vector<SampleRef>{{i, 0, flipped}}, scratch, read);
      const auto expected = features_of(flipped ? mirrored(image) : image);
      ASSERT_EQ(read.size(), expected.size());
      for (std::size_t k = 0; k < read.size(); ++k) EXPECT_NEAR(read[k], expected[k], 1e-3);
    }
  }
  SynthOptions other = options;
  other.hog = false;
  EXPECT_ERROR(synthesize(other), DataError, "--hog", "--replace");
  EXPECT_ERROR(synthesize({.out = directory / "odd", .image_size = 72, .hog = true}), UsageError,
               "--hog describes squares of 2 x 2 latents", "72 pixels are 9 latents");
  EXPECT_FALSE(std::filesystem::exists(directory / "odd"));
}

}  // namespace
}  // namespace edt::data
