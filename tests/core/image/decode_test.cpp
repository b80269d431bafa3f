#include "core/image/decode.h"

#include <png.h>

#include "core/image/orientation.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/picture_files.h"

namespace edt {
namespace {

using test::drawn_picture;
using test::jpeg_file;
using test::png_file;

Image decode(const std::string& file, const DecodeOptions& options = {}) {
  return decode_picture(std::as_bytes(std::span(file)), "a picture", options);
}

// Big-endian, `bytes` of them.
void overwrite(std::string& file, std::size_t at, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    file[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> 8 * (bytes - 1 - i));
  }
}

// A JPEG that claims another size.
std::string resized(std::string jpeg, std::uint32_t width, std::uint32_t height) {
  const std::size_t frame = jpeg.find("\xff\xc0");
  overwrite(jpeg, frame + 5, height, 2);
  overwrite(jpeg, frame + 7, width, 2);
  return jpeg;
}

TEST(Decode, LosslessFilesComeBack) {
  const Image image = drawn_picture(37, 23, 1);
  EXPECT_EQ(decode(png_file(image)).pixels, image.pixels);
  const Image jpeg = decode(jpeg_file(image, {.quality = 100}));
  const Image progressive = decode(jpeg_file(image, {.quality = 100, .progressive = true}));
  EXPECT_EQ(jpeg.pixels, progressive.pixels);  // the same coefficients in another order
  EXPECT_EQ(jpeg.width, 37);
  EXPECT_EQ(jpeg.height, 23);
}

TEST(Decode, EveryKindOfPng) {
  using Rows = std::vector<std::string>;
  const auto pixels = [](const std::string& file) { return decode(file).pixels; };
  using Bytes = std::vector<std::uint8_t>;
  // 16 bits: the high byte, but gray is clipped.
  EXPECT_EQ(pixels(png_file(2, 1, 16, PNG_COLOR_TYPE_GRAY, Rows{std::string("\0\x90\1\0", 4)})),
            (Bytes{0x90, 0x90, 0x90, 255, 255, 255}));
  EXPECT_EQ(pixels(png_file(1, 1, 16, PNG_COLOR_TYPE_GRAY_ALPHA,
                            Rows{std::string("\x12\x90\xff\xff", 4)})),
            (Bytes{0x12, 0x12, 0x12}));
  EXPECT_EQ(pixels(png_file(1, 1, 16, PNG_COLOR_TYPE_RGB,
                            Rows{std::string("\x12\xff\x34\xff\x56\xff", 6)})),
            (Bytes{0x12, 0x34, 0x56}));
  // Alpha is dropped, also where nothing would be seen.
  EXPECT_EQ(pixels(png_file(1, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, Rows{std::string("\1\2\3\0", 4)})),
            (Bytes{1, 2, 3}));
  EXPECT_EQ(pixels(png_file(1, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, Rows{std::string("\7\0", 2)})),
            (Bytes{7, 7, 7}));
  // Few bits: 0 ... 3 are spread over 0 ... 255.
  EXPECT_EQ(pixels(png_file(4, 1, 2, PNG_COLOR_TYPE_GRAY, Rows{"\x1b"})),
            (Bytes{0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255}));
  // Palettes; what they lack is gray.
  EXPECT_EQ(pixels(png_file(3, 1, 4, PNG_COLOR_TYPE_PALETTE, Rows{std::string("\x01\x90", 2)},
                            false, {9, 8, 7, 6, 5, 4})),
            (Bytes{9, 8, 7, 6, 5, 4, 9, 9, 9}));
}

TEST(Decode, InterlacedPng) {
  const Image image = drawn_picture(13, 11, 3);
  std::vector<std::string> rows;
  for (int y = 0; y < image.height; ++y) {
    rows.emplace_back(reinterpret_cast<const char*>(image.pixel(0, y)), 13 * 3);
  }
  EXPECT_EQ(decode(png_file(13, 11, 8, PNG_COLOR_TYPE_RGB, rows, true)).pixels, image.pixels);
}

#ifdef EDT_WITH_WEBP
TEST(Decode, WebP) {
  const Image image = drawn_picture(31, 20, 3);
  const std::string file = test::webp_file(image, true);
  EXPECT_EQ(decode(file).pixels, image.pixels);
  EXPECT_EQ(decode(test::webp_file(image, false)).height, 20);
  EXPECT_ERROR(decode(file, {.most_pixels = 600}), PictureError, "31 x 20 pixels, at most 600");
  for (std::size_t bytes = 12; bytes + 8 < file.size(); bytes += 11) {
    EXPECT_THROW(decode(file.substr(0, bytes)), PictureError) << bytes << " of " << file.size();
  }
}
#endif

TEST(Decode, OnePixel) {
  Image image(1, 1);
  image.pixels = {10, 200, 30};
  EXPECT_EQ(decode(png_file(image)).pixels, image.pixels);
  EXPECT_EQ(decode(jpeg_file(Image(1, 1, 128))).pixels, Image(1, 1, 128).pixels);
}

TEST(Decode, OtherFormatsAreNamed) {
  EXPECT_ERROR(decode(""), PictureError, "a picture: is empty");
  EXPECT_ERROR(decode("GIF89a..."), PictureError, "a picture: is GIF");
  EXPECT_ERROR(decode("hello"), PictureError, "a picture: is no JPEG, PNG or WebP");
  EXPECT_ERROR(decode("version https://git-lfs.github.com/spec/v1\n"), PictureError,
               "is a pointer of Git LFS, not the file itself");
  EXPECT_ERROR(decode("<html>404"), PictureError, "is a web page");
}

// Wherever a file ends, it is refused; a JPEG's last marker says nothing about its pixels.
TEST(Decode, FilesThatWereCutOff) {
  const Image image = drawn_picture(40, 30, 2);
  for (const std::string& file : {jpeg_file(image), jpeg_file(image, {.progressive = true})}) {
    for (std::size_t bytes = 1; bytes + 2 < file.size(); bytes += 7) {
      EXPECT_THROW(decode(file.substr(0, bytes)), PictureError) << bytes << " of " << file.size();
    }
  }
  const std::string png = png_file(image);
  constexpr std::size_t kEndChunk = 12, kCheck = 4;
  for (std::size_t bytes = 1; bytes + kEndChunk + kCheck < png.size(); bytes += 7) {
    EXPECT_THROW(decode(png.substr(0, bytes)), PictureError) << bytes << " of " << png.size();
  }
  const std::string jpeg = jpeg_file(image);
  EXPECT_ERROR(decode(jpeg.substr(0, jpeg.size() * 3 / 4)), PictureError, "cut off:", "of 30 rows");
}

// A few bytes may claim anything.
TEST(Decode, TooLargeIsRefusedBeforeMemoryIsTaken) {
  const std::string jpeg = jpeg_file(drawn_picture(16, 16));
  EXPECT_ERROR(decode(resized(jpeg, 65500, 65500)), PictureError, "65500 x 65500 pixels",
               "at most 178956970");
  EXPECT_ERROR(decode(resized(jpeg, 20000, 20000)), PictureError, "20000 x 20000 pixels");
  EXPECT_ERROR(decode(resized(jpeg, 10000, 10000)), PictureError, "bytes cannot hold",
               "10000 x 10000");
  EXPECT_ERROR(decode(resized(jpeg, 0, 16)), PictureError, "a picture");
  EXPECT_ERROR(decode(jpeg, {.most_pixels = 255}), PictureError, "16 x 16 pixels, at most 255");
  EXPECT_EQ(decode(jpeg, {.most_pixels = 256}).width, 16);
  std::string png = png_file(drawn_picture(16, 16));
  EXPECT_ERROR(decode(png, {.most_pixels = 255}), PictureError, "16 x 16 pixels, at most 255");
}

// The file with its last scan as often as that makes `scans` in all: passes that change nothing.
std::string with_scans(const std::string& jpeg, int scans) {
  const auto next = [&](std::size_t from) { return jpeg.find("\xff\xda", from); };
  std::size_t last = next(0);
  int count = 1;
  for (std::size_t at = next(last + 1); at != jpeg.npos; at = next(at + 1), ++count) last = at;
  std::string file = jpeg.substr(0, last);
  const std::string scan = jpeg.substr(last, jpeg.size() - 2 - last);
  for (; count <= scans; ++count) file += scan;
  return file + "\xff\xd9";
}

// Each is a pass over the picture, and a file of few bytes has as many as it likes.
TEST(Decode, AJpegOfTooManyScansIsRefused) {
  const std::string jpeg = jpeg_file(drawn_picture(16, 16), {.progressive = true});
  EXPECT_EQ(decode(with_scans(jpeg, 500)).width, 16);
  EXPECT_ERROR(decode(with_scans(jpeg, 501)), PictureError, "more than 500 scans");
}

TEST(Decode, OrientationIsAppliedWhereAsked) {
  const Image image = drawn_picture(24, 16, 4);
  const auto upright = [&](int orientation) {
    return decode(jpeg_file(image, {.orientation = orientation}), {.apply_orientation = true});
  };
  const Image plain = decode(jpeg_file(image));
  EXPECT_EQ(decode(jpeg_file(image, {.orientation = 6})).pixels, plain.pixels);
  EXPECT_EQ(upright(1).pixels, plain.pixels);
  EXPECT_EQ(upright(2).pixels, mirrored(plain).pixels);
  const Image right = upright(6);  // its first row is the right side
  ASSERT_EQ(right.width, 16);
  ASSERT_EQ(right.height, 24);
  const auto same = [](const std::uint8_t* a, const std::uint8_t* b) {
    return std::equal(a, a + 3, b);
  };
  EXPECT_TRUE(same(right.pixel(0, 0), plain.pixel(0, 15)));
  EXPECT_TRUE(same(right.pixel(15, 3), plain.pixel(3, 0)));
  EXPECT_TRUE(same(upright(8).pixel(0, 0), plain.pixel(23, 0)));
  EXPECT_TRUE(same(upright(5).pixel(2, 7), plain.pixel(7, 2)));
  EXPECT_TRUE(same(upright(7).pixel(2, 7), plain.pixel(23 - 7, 15 - 2)));
  EXPECT_EQ(turned(turned(plain, 3), 3).pixels, plain.pixels);
  EXPECT_EQ(turned(turned(plain, 6), 8).pixels, plain.pixels);
  EXPECT_EQ(upright(4).pixels, turned(mirrored(plain), 3).pixels);
}

TEST(Decode, DamagedExifIsNoOrientation) {
  const auto of = [](const std::string& tiff) {
    return exif_orientation(std::as_bytes(std::span(tiff)));
  };
  const std::string good("MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1\0\6\0\0", 22);
  EXPECT_EQ(of(good), 6);
  EXPECT_EQ(of(""), 1);
  EXPECT_EQ(of("MM"), 1);
  EXPECT_EQ(of(std::string("MM\0*\xff\xff\xff\xff\0\1", 10)), 1);
  for (std::size_t bytes = 0; bytes < 20; ++bytes) EXPECT_EQ(of(good.substr(0, bytes)), 1);
}

}  // namespace
}  // namespace edt
