// Classes of samples that are made to be judged.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "launcher/evaluate/sample_pass.h"

namespace edt::test {
namespace {

TEST(DrawnLabels, InTurnOrAtRandom) {
  EXPECT_EQ(drawn_labels(7, 3, LabelOrder::kInTurn, 9),
            (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 0}));
  const auto random = drawn_labels(3000, 10, LabelOrder::kRandom, 9);
  for (std::int32_t label = 0; label < 10; ++label) {
    // 300 on average, with a deviation of 16.
    EXPECT_NEAR(static_cast<double>(std::ranges::count(random, label)), 300, 100) << label;
  }
  EXPECT_EQ(std::set<std::int32_t>(random.begin(), random.end()).size(), 10u);
  EXPECT_NE(random, drawn_labels(3000, 10, LabelOrder::kRandom, 10));
  // Those of fewer samples are the first of those of more.
  const auto some = drawn_labels(100, 10, LabelOrder::kRandom, 9);
  EXPECT_TRUE(std::ranges::equal(some, std::span(random).first(100)));
}

}  // namespace
}  // namespace edt::test
