// Threads run ahead, and pictures come in order whatever they do.
#include "data/pictures/loader.h"

#include <gtest/gtest.h>

#include "core/image/resample.h"
#include "data/pictures/list.h"
#include "tests/data/pictures/archive_file.h"
#include "tests/support/picture_files.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

using test::drawn_picture;
using test::write_whole;

class Loader : public testing::Test {
 protected:
  Loader() {
    for (int i = 0; i < 40; ++i) {
      const Image image = drawn_picture(20 + i % 7 * 30, 24, static_cast<unsigned>(i));
      write_whole(directory_ / fmt::format("p/{:02}.jpg", i), test::jpeg_file(image));
    }
    write_whole(directory_ / "p/13.jpg", "broken");
    PictureIndexWriter writer(directory_ / "index");
    writer.end_list(list_pictures({.pictures = {directory_ / "p"}, .classes = 1}, writer));
  }

  const test::TempDir directory_;
};

TEST_F(Loader, PicturesComeInTheOrderOfTheRanges) {
  const auto index = PictureIndex::listed(directory_ / "index");
  for (int threads : {1, 4}) {
    for (std::size_t ahead : {std::size_t{1}, std::size_t{5}, std::size_t{100}}) {
      PictureLoader loader(index, {{30, 5}, {0, 20}},
                           {.size = 16, .threads = threads, .ahead = ahead});
      ASSERT_EQ(loader.size(), 25u);
      for (std::uint64_t i = 0; i < 25; ++i) {
        const LoadedPicture& picture = loader.next();
        EXPECT_EQ(picture.index, i < 5 ? 30 + i : i - 5);
        EXPECT_EQ(picture.broken.has_value(), picture.index == 13);
        EXPECT_EQ(picture.pixels.size(), picture.broken ? 0u : 16u * 16 * 3);
      }
    }
  }
}

TEST_F(Loader, MayGoBeforeAllAreTaken) {
  const auto index = PictureIndex::listed(directory_ / "index");
  PictureLoader untouched(index, {{0, 40}}, {.size = 16, .threads = 3, .ahead = 4});
  PictureLoader begun(index, {{0, 40}}, {.size = 16, .threads = 3, .ahead = 4});
  begun.next();
  PictureLoader empty(index, {}, {});
  EXPECT_EQ(empty.size(), 0u);
}

}  // namespace
}  // namespace edt::data
