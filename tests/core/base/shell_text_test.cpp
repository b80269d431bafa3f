#include "core/base/shell_text.h"

#include <gtest/gtest.h>

namespace edt {
namespace {

TEST(ShellText, IsOneWord) {
  EXPECT_EQ(shell_quoted("/data/a-1_b.ini"), "/data/a-1_b.ini");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted("$(x)\n"), "'$(x)\n'");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("~"), "'~'");
}

}  // namespace
}  // namespace edt
