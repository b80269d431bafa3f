#include "launcher/train/grid_budget.h"

#include <gtest/gtest.h>

namespace edt {
namespace {

TEST(GridBudget, LeavesOutWhatWouldTakeMoreThanItsShare) {
  GridBudget budget(0.1);
  EXPECT_TRUE(budget.bounded());
  EXPECT_TRUE(budget.allows(1)) << "nobody knows what the first takes";
  budget.drew(10);
  EXPECT_FALSE(budget.allows(60)) << "20 s of 70";
  EXPECT_FALSE(budget.allows(189));
  EXPECT_TRUE(budget.allows(190)) << "20 s of 200";
  budget.drew(2);
  EXPECT_TRUE(budget.allows(200)) << "as long as the last, not as the first: 14 s of 202";
  EXPECT_DOUBLE_EQ(budget.share_of(120), 0.1);
}

TEST(GridBudget, HasNoBoundAtOne) {
  GridBudget budget(1);
  budget.drew(1e9);
  EXPECT_FALSE(budget.bounded());
  EXPECT_TRUE(budget.allows(1));
}

}  // namespace
}  // namespace edt
