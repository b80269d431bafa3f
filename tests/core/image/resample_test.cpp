// Equality with Pillow is in tests/golden/pictures; here what must hold for any size.
#include "core/image/resample.h"

#include <gtest/gtest.h>

#include "tests/support/picture_files.h"

namespace edt {
namespace {

using test::drawn_picture;

TEST(Resample, AConstantStaysConstant) {
  for (Filter filter : {Filter::kBox, Filter::kBicubic, Filter::kLanczos}) {
    for (int value : {0, 1, 127, 255}) {
      const Image scaled =
          resample(Image(31, 17, static_cast<std::uint8_t>(value)), 13, 40, filter);
      EXPECT_EQ(scaled.pixels, Image(13, 40, static_cast<std::uint8_t>(value)).pixels);
    }
  }
}

TEST(Resample, TheSameSizeIsTheSamePicture) {
  const Image image = drawn_picture(19, 27, 5);
  EXPECT_EQ(resample(image, 19, 27, Filter::kBicubic).pixels, image.pixels);
}

TEST(Resample, HalvesAreMeans) {
  Image image(2, 2);
  image.pixels = {10, 0, 255, 21, 1, 255, 30, 2, 0, 41, 3, 0};
  // Rows first: (10 + 21 + 1) / 2 = 16, (30 + 41 + 1) / 2 = 36; then (16 + 36 + 1) / 2.
  EXPECT_EQ(resample(image, 1, 1, Filter::kBox).pixels, (std::vector<std::uint8_t>{26, 2, 128}));
}

TEST(Resample, AWindowIsThatPartOfTheWhole) {
  const Image image = drawn_picture(57, 43, 6);
  for (Filter filter : {Filter::kBox, Filter::kBicubic, Filter::kLanczos}) {
    for (auto [width, height] : {std::pair{29, 90}, std::pair{57, 20}, std::pair{80, 43}}) {
      const Image whole = resample(image, width, height, filter);
      const Image part = resample(image, width, height, filter, {5, 7, 20, 11});
      for (int y = 0; y < 11; ++y) {
        for (int x = 0; x < 20; ++x) {
          for (int c = 0; c < 3; ++c) {
            ASSERT_EQ(part.pixel(x, y)[c], whole.pixel(x + 5, y + 7)[c]) << x << ", " << y;
          }
        }
      }
    }
  }
}

// Rows and sums that Pillow 13.0 gives. The height shrinks by 40, the width by 3: columns come
// first there, and rows first would give 45 for the sixth value.
TEST(Resample, PillowsValuesWhereColumnsComeFirst) {
  const Image scaled = resample(drawn_picture(12, 60, 7), 9, 20, Filter::kBicubic);
  const std::vector<int> expected{4,  60, 43, 10, 60, 46, 17, 61, 47, 24, 62, 48, 31, 63,
                                  50, 37, 63, 51, 44, 64, 52, 51, 65, 47, 57, 65, 196};
  EXPECT_EQ(std::vector<int>(scaled.pixel(0, 3), scaled.pixel(0, 4)), expected);
}

// At twice as many rows as columns rows still come first; one row more turns it. The sums tell:
// each step rounds.
TEST(Resample, ColumnsComeFirstWhereTwiceAsManyRowsGo) {
  const Image image = drawn_picture(60, 90, 7);
  const auto in_order = [&](int width, int height, bool columns_first) {
    const Image first = columns_first ? resample(image, 60, height, Filter::kBicubic)
                                      : resample(image, width, 90, Filter::kBicubic);
    return resample(first, width, height, Filter::kBicubic).pixels;
  };
  for (const auto& [width, height, columns_first] :
       {std::tuple{40, 50, false}, {40, 49, true}, {40, 40, true}, {40, 20, true}}) {
    const auto pixels = resample(image, width, height, Filter::kBicubic).pixels;
    EXPECT_EQ(pixels, in_order(width, height, columns_first)) << width << " x " << height;
    EXPECT_NE(pixels, in_order(width, height, !columns_first)) << width << " x " << height;
  }
}

TEST(Resample, PillowsValuesOfLanczos) {
  const std::vector<std::uint8_t> expected{90, 29, 113, 127, 33, 152, 166, 37, 164, 203, 41, 65,
                                           90, 87, 149, 127, 91, 97,  166, 95, 71,  203, 99, 162};
  EXPECT_EQ(resample(drawn_picture(30, 20, 2), 4, 2, Filter::kLanczos).pixels, expected);
}

TEST(CentreCrop, OfPicturesOfAnyShape) {
  Image one(1, 1);
  one.pixels = {7, 99, 200};
  const Image grown = centre_crop(one, 32);
  for (int x = 0; x < 32; ++x) EXPECT_EQ(grown.pixel(x, x)[1], 99);
  // Scaled as a whole it would be 256 x 2560000 pixels.
  Image line(1, 10000);
  for (int y = 0; y < 10000; ++y) line.pixel(0, y)[0] = static_cast<std::uint8_t>(y / 40);
  const Image middle = centre_crop(line, 256);
  EXPECT_EQ(middle.width, 256);
  EXPECT_EQ(middle.height, 256);
  EXPECT_EQ(middle.pixel(0, 128)[0], 125);
  const Image wide = centre_crop(drawn_picture(3000, 20), 64);
  EXPECT_EQ(wide.width, 64);
  EXPECT_EQ(wide.height, 64);
}

}  // namespace
}  // namespace edt
