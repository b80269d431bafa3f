#include "core/storage/text_lines.h"

#include <fstream>

#include "core/storage/access.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

std::vector<std::string> all(TextLines& lines) {
  std::vector<std::string> found;
  for (std::string line; lines.next(line);) found.push_back(line);
  return found;
}

TEST(TextLines, AreThoseOfTheFile) {
  const test::TempDir directory;
  const std::string zero("b\0b", 3), longest(100'000, 'c');
  std::ofstream(directory / "t", std::ios::binary) << "a\n\n" << zero << '\n' << longest << "\nend";
  TextLines lines(directory / "t");
  std::string line;
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, "a");
  EXPECT_TRUE(lines.ended());
  EXPECT_EQ(all(lines), (std::vector<std::string>{"", zero, longest, "end"}));
  EXPECT_FALSE(lines.ended());
  lines.go_to(3);
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, zero);
}

// A stream takes both for an empty file.
TEST(TextLines, WhatCannotBeReadHasNoEnd) {
  const test::TempDir directory;
  EXPECT_ERROR(TextLines(directory / "none"), DataError, "none does not exist");
  TextLines broken("/proc/self/mem");  // its first page is not there: EIO
  std::string line;
  EXPECT_ERROR(broken.next(line), DiskError, "cannot read /proc/self/mem");
}

}  // namespace
}  // namespace edt
