// Files that others append to, replace, cut and rotate while they are followed.
#include "launcher/watch/followed_file.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "core/base/error.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class Followed : public testing::Test {
 protected:
  void append(const std::string& text) const { std::ofstream(path_, std::ios::app) << text; }
  void replace(const std::string& text) const {
    std::ofstream(directory_ / "new") << text;
    fs::rename(directory_ / "new", path_);
  }
  // The lines of a look; "-" where a new file begins.
  std::vector<std::string> look() {
    std::vector<std::string> lines;
    file_.look([&](std::string_view line) { lines.emplace_back(line); },
               [&] { lines.emplace_back("-"); });
    return lines;
  }

  const test::TempDir directory_;
  const fs::path path_ = directory_ / "metrics.jsonl";
  FollowedFile file_{path_};
};

TEST_F(Followed, EachLineOnceWhenItIsWhole) {
  EXPECT_THAT(look(), IsEmpty());
  append("one\ntw");
  EXPECT_THAT(look(), ElementsAre("one"));
  EXPECT_THAT(look(), IsEmpty());
  append("o\n");
  append("three\n");
  EXPECT_THAT(look(), ElementsAre("two", "three"));
}

// Nobody writes into it, and who opens it waits for that.
TEST_F(Followed, APipeIsRefused) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THROW(look(), DataError);
}

// As a resume replaces the metrics, and as logs are rotated.
TEST_F(Followed, AnotherFileOfTheNameBeginsAnew) {
  append("one\n");
  EXPECT_THAT(look(), ElementsAre("one"));
  append("two\n");
  replace("other one\nother two\nother three\n");
  EXPECT_THAT(look(), ElementsAre("two", "-", "other one", "other two", "other three"));
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(Followed, AFileThatShrankBeginsAnew) {
  append("one\ntwo\n");
  EXPECT_THAT(look(), ElementsAre("one", "two"));
  fs::resize_file(path_, 0);
  append("1\n");
  EXPECT_THAT(look(), ElementsAre("-", "1"));
}

TEST_F(Followed, OfALongFileOnlyTheLastWholeLines) {
  append("a first line\nsecond\nthird\n");
  file_.begin_with_last(16);  // from the middle of the first line on
  EXPECT_THAT(look(), ElementsAre("second", "third"));
  append("fourth\n");
  EXPECT_THAT(look(), ElementsAre("fourth"));
}

TEST_F(Followed, LinesWithoutEndAreDropped) {
  append("one\n");
  for (int i = 0; i < 5; ++i) append(std::string(FollowedFile::kLongestLine / 4, 'x'));
  EXPECT_THAT(look(), ElementsAre("one"));
  append("the rest of it\ntwo\n");
  EXPECT_THAT(look(), ElementsAre("two"));
}

// What a file held that is gone counts until another takes its name.
TEST_F(Followed, AFileThatIsGoneIsReadToItsEnd) {
  append("one\n");
  EXPECT_THAT(look(), ElementsAre("one"));
  append("two\n");
  fs::remove(path_);
  EXPECT_THAT(look(), ElementsAre("two"));
  EXPECT_THAT(look(), IsEmpty()) << "no new file begins";
  append("other\n");
  EXPECT_THAT(look(), ElementsAre("-", "other"));
}

// Only what is there when following begins is cut short.
TEST_F(Followed, AFileThatComesLaterIsReadFromItsBegin) {
  append("a first line\nsecond\nthird\n");
  file_.begin_with_last(16);
  EXPECT_THAT(look(), ElementsAre("second", "third"));
  replace("another first line\nsecond\nthird\n");
  EXPECT_THAT(look(), ElementsAre("-", "another first line", "second", "third"));
}

TEST_F(Followed, AFileThatCannotBeOpenedIsNoMissingOne) {
  fs::create_symlink(path_, path_);  // in a circle; a superuser may read all others
  EXPECT_THROW(look(), SystemError);
  fs::remove(path_);
  EXPECT_THAT(look(), IsEmpty());
}

}  // namespace
}  // namespace edt
