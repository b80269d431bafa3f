#include "core/storage/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace edt {
namespace {

TEST(Half, EveryValueSurvivesTheRoundTrip) {
  std::vector<half_bits> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<half_bits>(i);
  std::vector<float> wide(all.size());
  half_to_float(all, wide);
  std::vector<half_bits> back(all.size());
  float_to_half(wide, back);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (std::isnan(half_to_float(all[i]))) {
      EXPECT_TRUE(std::isnan(wide[i]));
      EXPECT_TRUE(std::isnan(half_to_float(back[i])));
    } else {
      ASSERT_EQ(wide[i], half_to_float(all[i])) << i;
      ASSERT_EQ(back[i], all[i]) << i;
    }
  }
}

TEST(Half, KnownValuesAndRounding) {
  EXPECT_EQ(float_to_half(1.f), 0x3c00);
  EXPECT_EQ(float_to_half(-2.f), 0xc000);
  EXPECT_EQ(float_to_half(65504.f), 0x7bff);
  EXPECT_EQ(float_to_half(65519.f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.f), 0x7c00);
  EXPECT_EQ(float_to_half(0x1p-24f), 0x0001);
  EXPECT_EQ(float_to_half(0x1p-25f), 0x0000);            // tie to even
  EXPECT_EQ(float_to_half(1.f + 0x1p-11f), 0x3c00);      // tie to even
  EXPECT_EQ(float_to_half(1.f + 3 * 0x1p-11f), 0x3c02);  // tie to even, upwards
}

TEST(Half, FiniteCheck) {
  std::vector<float> values(1000, 1.f);
  EXPECT_TRUE(all_finite(values));
  values[999] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(all_finite(values));
  values[999] = std::nanf("");
  EXPECT_FALSE(all_finite(values));
}

}  // namespace
}  // namespace edt
