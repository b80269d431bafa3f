#include "core/storage/held_directory.h"

#include <filesystem>

#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

class Held : public testing::Test {
 protected:
  Held() { fs::create_directory(path_); }

  const test::TempDir directory_;
  const fs::path path_ = directory_ / "a", other_ = directory_ / "b";
};

TEST_F(Held, IsWhereItWas) {
  const HeldDirectory held(path_);
  EXPECT_TRUE(held.has_its_name());
  EXPECT_TRUE(held.is_replaced_alike());
  EXPECT_EQ(held.present_name(), fs::canonical(path_));
}

TEST_F(Held, IsRenamed) {
  const HeldDirectory held(path_);
  fs::rename(path_, other_);
  EXPECT_FALSE(held.has_its_name());
  EXPECT_FALSE(held.is_replaced_alike());
  EXPECT_EQ(held.present_name(), fs::canonical(other_));
  fs::create_directory(path_);  // another one
  EXPECT_FALSE(held.has_its_name());
  EXPECT_TRUE(held.is_replaced_alike());
}

TEST_F(Held, IsRemoved) {
  const HeldDirectory held(path_);
  fs::remove(path_);
  EXPECT_FALSE(held.has_its_name());
  EXPECT_EQ(held.present_name(), "");
  // The kernel calls it by this name, which another one may have.
  fs::create_directory(directory_ / "a (deleted)");
  EXPECT_EQ(held.present_name(), "");
}

TEST_F(Held, AFileInItsPlaceIsNotAlike) {
  const HeldDirectory held(path_);
  fs::remove(path_);
  fs::create_symlink("/dev/null", path_);
  EXPECT_FALSE(held.is_replaced_alike());
}

TEST_F(Held, AnotherFileSystemIsNotAlike) {
  if (!fs::is_directory("/proc/self")) GTEST_SKIP() << "no other file system";
  const HeldDirectory held(path_);
  fs::remove(path_);
  fs::create_directory_symlink("/proc/self", path_);
  EXPECT_FALSE(held.is_replaced_alike());
  EXPECT_FALSE(held.has_its_name());
}

TEST_F(Held, WhatCannotBeSeenIsNoAnswer) {
  const HeldDirectory held(path_);
  fs::remove(path_);
  fs::create_symlink("a", path_);  // leads to itself
  EXPECT_ERROR((void)held.has_its_name(), SystemError, "cannot look at");
  EXPECT_ERROR(HeldDirectory(directory_ / "none"), SystemError, "cannot open");
}

TEST_F(Held, GoesToAnother) {
  fs::create_directory(other_);
  HeldDirectory held(path_), moved(other_);
  moved = std::move(held);
  EXPECT_EQ(moved.path(), path_);
  EXPECT_TRUE(moved.has_its_name());
}

}  // namespace
}  // namespace edt
