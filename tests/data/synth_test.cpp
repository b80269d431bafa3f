#include "data/synth.h"

#include <cmath>

#include "data/dataset.h"
#include "data/decoder.h"
#include "data/patch_transform.h"
#include "data/synth_picture.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

using edt::test::TempDir;

std::vector<float> read_latent(const Dataset& dataset, std::uint64_t index, bool flipped = false) {
  ReadScratch scratch;
  std::vector<float> latent(dataset.description().latent_elements());
  const std::vector<SampleRef> refs{{index, 0, flipped}};
  dataset.read(refs, 0, scratch, latent);
  return latent;
}

double mean_difference(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

TEST(Synth, DecodedPicturesLookLikeTheDrawnOnes) {
  for (int size : {64, 128}) {
    const TempDir directory;
    synthesize({.out = directory / "set", .samples = 24, .image_size = size, .seed = 3});
    const Dataset dataset(directory / "set");
    EXPECT_EQ(dataset.description().image_size, size);
    EXPECT_EQ(dataset.description().class_names, synth_class_names());
    const Decoder decoder(dataset.description(), false);
    EXPECT_FALSE(decoder.is_false_colour());
    for (std::uint32_t i = 0; i < 24; ++i) {
      EXPECT_EQ(dataset.label(i), static_cast<int>(i % 12));
      const Image decoded = decoder.decode_all(read_latent(dataset, i))[0];
      const int label = static_cast<int>(i % 12);
      const double own = mean_difference(decoded, draw_synth_picture(label, size, 3, i));
      // Four of 192 coefficients are kept, so the finest texture differs visibly; the other classes
      // in the same place, size and turn differ much more.
      EXPECT_LT(own, 36);
      for (int other = 0; other < 12; ++other) {
        if (other == label) continue;
        EXPECT_LT(1.5 * own, mean_difference(decoded, draw_synth_picture(other, size, 3, i)))
            << "size " << size << ", class " << label << " or " << other;
      }
    }
  }
}

// Sixteen coefficients leave half of the error that four leave, of smaller patches a third of that.
TEST(Synth, MoreChannelsKeepEdgesSharp) {
  const auto error = [](int channels, int factor) {
    const TempDir directory;
    synthesize({.out = directory / "set",
                .samples = 24,
                .image_size = 64,
                .channels = channels,
                .vae_factor = factor});
    const Dataset dataset(directory / "set");
    EXPECT_EQ(dataset.description().channels, channels);
    EXPECT_EQ(dataset.description().factor(), factor);
    EXPECT_EQ(dataset.description().height, 64 / factor);
    const Decoder decoder(dataset.description(), false);
    double sum = 0;
    for (std::uint32_t i = 0; i < 24; ++i) {
      const Image decoded = decoder.decode_all(read_latent(dataset, i))[0];
      sum += mean_difference(decoded, draw_synth_picture(static_cast<int>(i % 12), 64, 0, i));
    }
    return sum / 24;
  };
  EXPECT_LT(2 * error(16, 8), error(4, 8));
  EXPECT_LT(3 * error(16, 4), error(16, 8));
  const TempDir directory;
  EXPECT_ERROR(synthesize({.out = directory / "s", .channels = 5}), UsageError, "5 channels",
               "4 and 16");
  EXPECT_ERROR(synthesize({.out = directory / "s", .vae_factor = 2}), UsageError, "--vae-factor 2",
               "4 and 8");
}

class SynthChannels : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Few, SynthChannels, testing::Values(4, 16));

TEST_P(SynthChannels, LatentsHaveTheirStatedDeviations) {
  const TempDir directory;
  synthesize({.out = directory / "set",
              .samples = 240,
              .image_size = 64,
              .seed = 9,
              .channels = GetParam()});
  const Dataset dataset(directory / "set");
  const std::vector<double>& deviations = dataset.description().channel_std;
  double variances = 0;
  for (std::size_t c = 0; c < static_cast<std::size_t>(GetParam()); ++c) {
    variances += deviations[c] * deviations[c];
    double sum = 0, square = 0;
    for (std::uint64_t i = 0; i < 240; ++i) {
      const auto latent = read_latent(dataset, i);
      for (std::size_t e = c * 64; e < (c + 1) * 64; ++e) {
        sum += latent[e];
        square += latent[e] * latent[e];
      }
    }
    // Pictures of another seed: means and variances agree up to sampling of 240 pictures.
    EXPECT_NEAR(sum / (240 * 64), 0, 0.1) << c;
    EXPECT_NEAR(square / (240 * 64) / std::pow(deviations[c], 2), 1, 0.1) << c;
  }
  EXPECT_NEAR(variances / GetParam(), 1, 1e-6);
  // Of four channels all have the same, of sixteen details have less than brightness.
  EXPECT_EQ(deviations[0] > 1.5 * deviations.back(), GetParam() == 16);
}

TEST(Synth, PicturesVaryWithSampleAndSeedOnly) {
  const auto pixels = [](std::uint64_t seed, std::uint32_t sample) {
    return draw_synth_picture(2, 64, seed, sample).pixels;
  };
  EXPECT_EQ(pixels(1, 5), pixels(1, 5));
  EXPECT_NE(pixels(1, 5), pixels(1, 6));
  EXPECT_NE(pixels(1, 5), pixels(2, 5));
}

TEST(Synth, FlippedCopyIsTheMirrorImage) {
  const TempDir directory;
  synthesize({.out = directory / "set", .samples = 12, .image_size = 64, .flipped = true});
  const Dataset dataset(directory / "set");
  const Decoder decoder(dataset.description(), false);
  for (std::uint64_t i = 0; i < 12; ++i) {
    const Image image = decoder.decode_all(read_latent(dataset, i))[0];
    Image mirror = decoder.decode_all(read_latent(dataset, i, true))[0];
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 32; ++x)
        std::swap_ranges(mirror.pixel(x, y), mirror.pixel(x, y) + 3, mirror.pixel(63 - x, y));
    }
    EXPECT_LT(mean_difference(image, mirror), 0.5);  // rounding
  }
}

TEST(Synth, InterruptedRunContinues) {
  const TempDir directory;
  // Pictures are drawn 256 at once: the second shard is left in its midst.
  SynthOptions options{
      .out = directory / "set", .samples = 600, .image_size = 64, .samples_per_shard = 300};
  EXPECT_THROW(synthesize(options,
                          [](std::uint64_t done, std::uint64_t) {
                            if (done == 556) throw std::runtime_error("stopped");
                          }),
               std::runtime_error);
  std::uint64_t first_done = 0;
  synthesize(options, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, 600u);
    if (first_done == 0) first_done = done;
  });
  EXPECT_EQ(first_done, 556u);
  EXPECT_EQ(Dataset(directory / "set").size(), 600u);
}

TEST(Synth, ContinuesOnlyTheSamePictures) {
  const TempDir directory;
  const SynthOptions options{
      .out = directory / "set", .samples = 24, .image_size = 64, .samples_per_shard = 10};
  synthesize(options);
  EXPECT_EQ(synthesize(options).kept, 3u);
  SynthOptions other = options;
  other.seed = 5;
  EXPECT_ERROR(synthesize(other), DataError, "--seed was 0, is now 5", "--replace");
  other.replace = true;
  EXPECT_EQ(synthesize(other).written, 3u);
}

TEST(Synth, BadOptions) {
  const TempDir directory;
  EXPECT_ERROR(synthesize({.out = directory / "s", .image_size = 60}), UsageError, "60 pixels");
  EXPECT_ERROR(synthesize({.out = directory / "s", .classes = 13}), UsageError, "13 classes", "12");
  EXPECT_ERROR(synthesize({.out = directory / "s", .samples = 0}), UsageError, "0 samples");
}

TEST(Decoder, FalseColoursWithoutADecoder) {
  Description d;
  d.channels = 4;
  d.height = d.width = 2;
  d.image_size = 16;
  const Decoder decoder(d, false);
  EXPECT_TRUE(decoder.is_false_colour());
  std::vector<float> latent(16, 0.f);
  latent[0] = 1;              // red of the first patch
  latent[7] = std::nanf("");  // green of the last
  const Image image = decoder.decode_all(latent)[0];
  EXPECT_EQ(image.width, 16);
  EXPECT_EQ(image.pixel(7, 7)[0], 176);
  EXPECT_EQ(image.pixel(8, 7)[0], 128);
  EXPECT_EQ(image.pixel(15, 15)[1], 0);
  d.width = 4;  // image_size is that of the height
  const Image wide = Decoder(d, false).decode_all(std::vector<float>(32))[0];
  EXPECT_EQ(wide.width, 32);
  EXPECT_EQ(wide.height, 16);
  EXPECT_EQ(Decoder(d, false).picture_size(2, 4), std::pair(32, 16));
}

}  // namespace
}  // namespace edt::data
