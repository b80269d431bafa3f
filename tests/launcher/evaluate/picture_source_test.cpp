// What is judged, and what is left of it on the way.
#include "launcher/evaluate/picture_source.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/storage/npy.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/data/import/npy_files.h"
#include "tests/support/message_of.h"
#include "tests/support/picture_files.h"
#include "tests/support/process_state.h"
#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(PictureSource, FilesComeInOrderAndLeaveNothingInTheTemporaryFolder) {
  const TempDir folder, temporary;
  const EnvironmentVariable variable("TMPDIR", temporary.path().string());
  for (unsigned i = 0; i < 3; ++i) {
    write_text(folder / fmt::format("{}.png", 2 - i), png_file(drawn_picture(8, 6, 2 - i)));
  }
  const auto source = open_pictures({folder.path()});
  EXPECT_TRUE(std::filesystem::is_empty(temporary.path())) << "a signal from here on leaves it";
  EXPECT_EQ(source->count(), 3);
  const auto images = source->read(1, 2);
  EXPECT_EQ(images.at(0).pixels, drawn_picture(8, 6, 1).pixels);
  EXPECT_EQ(images.at(1).pixels, drawn_picture(8, 6, 2).pixels);
}

// edt sample --out-dir without a decoder.
TEST(PictureSource, FalseColoursAreNoPictures) {
  const TempDir folder;
  write_text(folder / "000000-false-colours.png", png_file(drawn_picture(8, 8)));
  EXPECT_THAT(message_of<DataError>([&] { open_pictures({folder.path()}); }),
              AllOf(HasSubstr("000000-false-colours.png"), HasSubstr("--vae")));
}

TEST(PictureSource, ATemporaryFolderThatIsNotThereIsNamed) {
  const TempDir folder;
  write_text(folder / "a.png", png_file(drawn_picture(8, 8)));
  const EnvironmentVariable variable("TMPDIR", "/nonexistent");
  EXPECT_THAT(message_of<UsageError>([&] { open_pictures({folder.path()}); }),
              HasSubstr("TMPDIR is /nonexistent"));
}

TEST(PictureSource, ArraysThatAreNoPictures) {
  const TempDir folder;
  const auto refusal = [&](const std::vector<std::uint64_t>& shape) {
    NpzWriter npz(folder / "a.npz", "arr_0", shape);
    std::uint64_t bytes = 1;
    for (const std::uint64_t n : shape) bytes *= n;
    npz.append(std::vector<std::uint8_t>(bytes));
    npz.finish();
    return message_of<DataError>([&] { open_pictures({folder / "a.npz"}); });
  };
  EXPECT_EQ(refusal({2, 4, 4, 3}), "");
  write_text(folder / "x.safetensors", "");
  EXPECT_THAT(message_of<DataError>([&] { open_pictures({folder / "x.safetensors"}); }),
              HasSubstr("x.safetensors: is empty"));
  EXPECT_THAT(refusal({2, 3, 4, 4}), HasSubstr("[2, 3, 4, 4]"));
  EXPECT_THAT(refusal({2, 4, 4}), HasSubstr("[2, 4, 4]"));
  EXPECT_THAT(refusal({2, 0, 4, 3}), HasSubstr("[2, 0, 4, 3]"));
}

// Pictures between 0 and 1, or -1 and 1: bytes of them would look like black ones.
TEST(PictureSource, NumbersThatAreNoBytesAreRefused) {
  const TempDir folder;
  const auto refusal = [&](const char* type, auto value) {
    const std::vector<decltype(value)> values(2 * 4 * 4 * 3, value);
    write_text(folder / "a.npz",
               stored_zip({{"arr_0.npy", data::test::npy_text(type, {2, 4, 4, 3}, values)}}));
    return message_of<DataError>([&] { open_pictures({folder / "a.npz"}); });
  };
  EXPECT_THAT(refusal("<f4", 0.5F),
              HasSubstr("a.npz: arr_0 is float32 [2, 4, 4, 3], pictures are uint8 [N, H, W, 3]: "
                        "numbers from 0 to 255"));
  EXPECT_THAT(refusal("<f8", -1.0), HasSubstr("arr_0 is float64 [2, 4, 4, 3]"));
  EXPECT_THAT(refusal("<i8", std::int64_t{255}), HasSubstr("arr_0 is int64 [2, 4, 4, 3]"));
  EXPECT_EQ(refusal("|u1", std::uint8_t{255}), "");
}

TEST(PictureSource, WhatIsNoneIsNamed) {
  const TempDir folder;
  NpzWriter npz(folder / "a.npz", "arr_0", {1, 4, 4, 3});
  npz.append(std::vector<std::uint8_t>(48, 9));
  npz.finish();
  EXPECT_THAT(message_of<UsageError>([&] {
                open_pictures({folder / "a.npz", folder / "a.npz"});
              }),
              HasSubstr("a.npz: an .npz is given alone, not beside 1 others"));
  EXPECT_THAT(message_of<UsageError>([&] { open_pictures({folder / "none"}); }),
              HasSubstr("none: there is no such file or folder"));
  std::filesystem::create_directory(folder / "empty");
  EXPECT_THAT(message_of<Error>([&] { open_pictures({folder / "empty"}); }), HasSubstr("empty"));
}

TEST(PictureSource, AnArchiveIsReadAsItsFolder) {
  const TempDir folder;
  for (unsigned i = 0; i < 3; ++i) {
    write_text(folder / fmt::format("p/{}.png", i), png_file(drawn_picture(8, 6, i)));
  }
  ASSERT_EQ(shell("tar -C " + (folder / "p").string() + " -cf " + (folder / "p.tar").string() +
                  " 0.png 1.png 2.png")
                .status,
            0);
  const auto source = open_pictures({folder / "p.tar"});
  ASSERT_EQ(source->count(), 3);
  EXPECT_EQ(source->read(2, 1).at(0).pixels, drawn_picture(8, 6, 2).pixels);
}

}  // namespace
}  // namespace edt::test
