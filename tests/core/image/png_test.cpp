#include "core/image/png.h"

#include <fstream>

#include "core/storage/durable_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

TEST(Png, GridRoundTrip) {
  const test::TempDir directory;
  std::vector<Image> images(3, Image(4, 3));
  for (int i = 0; i < 3; ++i) images[i].pixel(1, 2)[0] = static_cast<std::uint8_t>(50 + i);
  const Image grid = make_grid(images, 2, 1);
  EXPECT_EQ(grid.width, 9);
  EXPECT_EQ(grid.height, 7);
  write_png(directory / "a.png", grid);
  const Image back = read_png(directory / "a.png");
  EXPECT_EQ(back.width, 9);
  EXPECT_EQ(back.height, 7);
  EXPECT_EQ(back.pixels, grid.pixels);
  EXPECT_EQ(back.pixel(1, 2)[0], 50);
  EXPECT_EQ(back.pixel(6, 2)[0], 51);
  EXPECT_EQ(back.pixel(1, 6)[0], 52);
  EXPECT_EQ(back.pixel(4, 0)[0], 255);  // gap
  EXPECT_EQ(back.pixel(8, 6)[0], 255);  // no picture
}

TEST(Png, ACommentGoesWithThePicture) {
  const test::TempDir directory;
  Image image(3, 2, 7);
  image.comment = "false colours";
  const std::vector<Image> images{image, image};
  write_png(directory / "a.png", make_grid(images, 2));
  const Image back = read_png(directory / "a.png");  // libpng checks the CRC of every chunk
  EXPECT_EQ(back.comment, "false colours");
  EXPECT_EQ(back.pixels, make_grid(images, 2).pixels);
  write_png(directory / "b.png", Image(3, 2));
  EXPECT_EQ(read_png(directory / "b.png").comment, "");
  EXPECT_EQ(png_comment(""), "");
  EXPECT_EQ(png_comment(std::string(40, '\xff')), "");
}

TEST(Png, BadInput) {
  const test::TempDir directory;
  std::ofstream(directory / "a.png") << "text";
  EXPECT_ERROR(read_png(directory / "a.png"), DataError, "a.png");
  EXPECT_ERROR(write_png(directory / "no" / "a.png", Image(1, 1)), SystemError, "a.png");
  EXPECT_ERROR(make_grid(std::vector{Image(2, 2), Image(3, 2)}, 2), UsageError, "3 x 2", "2 x 2");
}

// libpng itself skips a damaged chunk where it can decode without it.
TEST(Png, EveryChunkIsChecked) {
  const test::TempDir directory;
  write_png(directory / "a.png", Image(4, 3, 9));
  const std::string good = read_text(directory / "a.png");
  const auto read = [&](const std::string& content) {
    std::ofstream(directory / "b.png", std::ios::binary) << content;
    return read_png(directory / "b.png");
  };
  const std::string gamma("\0\0\0\4gAMA\0\1\x86\xa0\x31\xe8\x96\x5f", 16);
  std::string with_gamma = good, damaged = good;
  with_gamma.insert(8 + 25, gamma);  // behind the header
  EXPECT_EQ(read(with_gamma).width, 4);
  with_gamma[8 + 25 + 10] ^= 1;
  EXPECT_ERROR(read(with_gamma), DataError, "b.png", "gAMA", "CRC-32");
  damaged[damaged.find("IDAT") + 6] ^= 1;
  EXPECT_ERROR(read(damaged), DataError, "b.png", "IDAT", "CRC-32");
  EXPECT_ERROR(read(good + "x"), DataError, "b.png", "1 bytes follow");
  EXPECT_ERROR(read(good.substr(0, good.size() - 2)), DataError, "b.png", "cut off");
}

}  // namespace
}  // namespace edt
