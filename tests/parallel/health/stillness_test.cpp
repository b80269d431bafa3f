#include "parallel/health/stillness.h"

#include <gtest/gtest.h>

namespace edt {
namespace {

TEST(Stillness, CountsOnlyTheTimeInWhichItIsLookedAt) {
  const auto at = [](int seconds) { return Clock::time_point() + std::chrono::seconds(seconds); };
  const Stillness::Seconds most(2);
  Stillness still(at(0));
  EXPECT_EQ(still.look(1, at(1), most).count(), 0);
  EXPECT_EQ(still.look(1, at(2), most).count(), 1);
  EXPECT_EQ(still.look(1, at(4), most).count(), 3);
  EXPECT_EQ(still.look(1, at(3600), most).count(), 5) << "it was frozen";
  EXPECT_EQ(still.look(2, at(3601), most).count(), 0) << "it moves";
  EXPECT_EQ(still.look(2, at(3602), most).count(), 1);
}

}  // namespace
}  // namespace edt
