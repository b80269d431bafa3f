// Pictures that a caption describes, what encodes captions, and what reads pictures back.
#include "data/caption_check.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "data/caption_encoder.h"
#include "data/dataset.h"
#include "data/decoder.h"
#include "data/inspect.h"
#include "data/synth.h"
#include "data/text_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using testing::ElementsAre;

std::vector<float> token(std::span<const float> features, std::size_t i) {
  const auto row = features.subspan(i * kCaptionChannels, kCaptionChannels);
  return {row.begin(), row.end()};
}

double product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

TEST(CaptionEncoder, WordsAreUnitVectorsOfTheirOwn) {
  EXPECT_THAT(caption_words("A small, Orange disc--top-left 2!"),
              ElementsAre("a", "small", "orange", "disc", "top", "left", "2"));
  EXPECT_THAT(caption_words(" ,. "), testing::IsEmpty());
  EXPECT_THAT(caption_words("caf\u00e9 noir"), ElementsAre("caf\u00e9", "noir"));
  const auto features = encode_caption("orange disc ORANGE");
  ASSERT_EQ(features.size(), 3 * kCaptionChannels);
  const auto orange = token(features, 0), disc = token(features, 1);
  EXPECT_EQ(token(features, 2), orange);
  EXPECT_EQ(encode_caption("Disc"), disc);
  // 32 values of float16, each within half of 2^-11 of itself.
  EXPECT_NEAR(product(orange, orange), 1, 1e-3);
  EXPECT_LT(std::abs(product(orange, disc)), 0.7);  // four deviations of 1 / sqrt(32)
  // The empty prompt is one token, which no word has.
  const auto null = encode_caption("");
  EXPECT_EQ(null.size(), kCaptionChannels);
  EXPECT_EQ(encode_caption(" - "), null);
  EXPECT_LT(std::abs(product(null, orange)), 0.7);
  // The bits are part of the format: sets that were written before go with later programs.
  EXPECT_EQ(float_to_half(orange[0]), 0xa4c0);
  EXPECT_EQ(float_to_half(orange[31]), 0x3605);
}

TEST(CaptionedPicture, CaptionsNameTheirWords) {
  std::set<std::string> captions;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const PictureWords words = draw_picture_words(3, i);
    EXPECT_FALSE(is_held_out(words));
    EXPECT_EQ(words_of(caption_of(words)), words);
    EXPECT_LE(caption_words(caption_of(words)).size(), kMostCaptionWords);
    captions.insert(caption_of(words));
  }
  EXPECT_GT(captions.size(), 440u);  // of 2 x 9/10 of 270
  EXPECT_EQ(words_of("a LARGE disc, at the bottom; it is sky blue"), std::nullopt);
  EXPECT_EQ(words_of("left: a large blue disc"), (PictureWords{1, 1, 0, 3}));
  EXPECT_EQ(words_of("large blue disc"), std::nullopt);
  EXPECT_EQ(words_of("large blue disc top bottom"), std::nullopt);
  EXPECT_EQ(words_of("large blue disc centre left"), std::nullopt);
}

// Each word is seen in training, and each pair of the three that are combined.
TEST(CaptionedPicture, HeldOutAreATenthOfTheCombinations) {
  const auto held_out = held_out_words();
  EXPECT_GE(held_out.size(), 2u * 18);
  EXPECT_LE(held_out.size(), 2u * 40);
  for (const PictureWords& words : held_out) EXPECT_TRUE(is_held_out(words));
  std::set<std::pair<int, int>> drawn;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const PictureWords words = draw_picture_words(0, i);
    drawn.insert({words.colour, words.shape});
    drawn.insert({words.colour, 100 + words.place});
    drawn.insert({1000 + words.shape, words.place});
  }
  EXPECT_EQ(drawn.size(), 6u * 5 + 6 * 9 + 5 * 9);
}

TEST(CaptionCheck, ReadsTruePicturesBack) {
  for (const int size : {64, 128}) {
    int agree = 0, sizes = 0;
    constexpr int kPictures = 60;
    for (std::uint32_t i = 0; i < kPictures; ++i) {
      const PictureWords words = draw_picture_words(1, i);
      const CaptionAgreement found =
          compare(draw_captioned_picture(words, size, 1, i), caption_of(words), "");
      agree += found.all();
      sizes += found.size;
    }
    EXPECT_EQ(agree, kPictures) << size;
    EXPECT_EQ(sizes, kPictures) << size;
  }
  EXPECT_ERROR((void)compare(Image(64, 64), "a cat", "x.h5: caption 3"), DataError,
               "x.h5: caption 3: 'a cat'");
  EXPECT_ERROR((void)read_picture(Image(16, 16)), DataError, "16 x 16");
}

// As a model sees and draws them: through the latents of the set. And captions of other pictures
// agree no more than chance has it.
TEST(CaptionCheck, ReadsDecodedPicturesBack) {
  constexpr std::uint64_t kPictures = 60;
  const TempDir directory;
  synthesize({.out = directory / "set",
              .samples = kPictures,
              .image_size = 128,
              .captions = true,
              .held_out = directory / "held-out.h5",
              .samples_per_shard = 40});
  const Dataset set(directory / "set");
  EXPECT_THAT(verify(directory / "set").problems, testing::IsEmpty());
  const Decoder decoder(set.description(), false);
  ReadScratch scratch;
  std::vector<float> latent(set.description().latent_elements());
  std::uint64_t agree = 0, wrong = 0, wrong_colours = 0;
  for (std::uint64_t i = 0; i < kPictures; ++i) {
    set.read(std::vector<SampleRef>{{i}}, 0, scratch, latent);
    const Image picture = decoder.decode_all(latent)[0];
    agree += compare(picture, set.caption(i), "").all();
    const CaptionAgreement other = compare(picture, set.caption((i + 1) % kPictures), "");
    wrong += other.all();
    wrong_colours += other.colour;
    EXPECT_EQ(set.text_of(i), encode_caption(set.caption(i)));
    EXPECT_EQ(set.label(i), words_of(set.caption(i))->shape);
  }
  EXPECT_GE(agree, kPictures - 1);
  EXPECT_LE(wrong, 2u);           // one in 270
  EXPECT_LE(wrong_colours, 22u);  // one in 6: mean 10, deviation 2.9
  EXPECT_EQ(set.null_text(), encode_caption(""));
  EXPECT_EQ(set.description().text.encoder, kCaptionEncoder);

  const TextFile held_out(directory / "held-out.h5");
  ASSERT_EQ(held_out.size(), held_out_words().size());
  for (std::uint64_t i = 0; i < held_out.size(); ++i) {
    EXPECT_EQ(held_out.features(i), encode_caption(held_out.caption(i)));
    EXPECT_TRUE(is_held_out(*words_of(held_out.caption(i))));
  }
}

TEST(CaptionedPicture, SetsThatContradictTheirCaptionsAreRefused) {
  const TempDir directory;
  const fs::path out = directory / "set";
  const auto write = [&](SynthOptions options) {
    options.out = out;
    options.samples = 4;
    options.image_size = 32;
    return synthesize(options);
  };
  EXPECT_ERROR(write({.flipped = true, .captions = true}), UsageError, "--captions", "--flipped");
  EXPECT_ERROR(write({.held_out = directory / "a.h5"}), UsageError, "--held-out", "--captions");
  EXPECT_ERROR(write({.captions = true, .held_out = out / "a.h5"}), UsageError, "--held-out",
               "a.h5", "set");
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace edt::data
