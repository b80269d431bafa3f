#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/dtype.h"

namespace edt {
namespace {

bfloat16 from_bits(std::uint32_t bits) {
  bfloat16 value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

float rounded(float value) { return static_cast<float>(bfloat16(value)); }

TEST(BFloat16, EveryValueRoundTrips) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<float>(from_bits(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(rounded(value))) << bits;
    } else {
      EXPECT_EQ(bfloat16(value).bits, bits);
    }
  }
}

// Between every pair of neighbours: below the middle down, above it up, the middle to even.
TEST(BFloat16, RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const std::uint32_t low = bits << 16;
    const auto at = [&](std::uint32_t offset) {
      return bfloat16(std::bit_cast<float>(low + offset)).bits;
    };
    ASSERT_EQ(at(0x7fff), bits);
    ASSERT_EQ(at(0x8001), bits + 1);
    ASSERT_EQ(at(0x8000), bits + (bits & 1));
    ASSERT_EQ(at(0x8000 + 0x80000000u), (bits + (bits & 1)) | 0x8000u);
  }
}

TEST(BFloat16, LargeValuesBecomeInfinity) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(rounded(infinity), infinity);
  EXPECT_EQ(rounded(-infinity), -infinity);
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), infinity);
}

TEST(BFloat16, NaNStaysNaN) {
  for (const std::uint32_t bits : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffffffffu}) {
    EXPECT_TRUE(std::isnan(rounded(std::bit_cast<float>(bits)))) << std::hex << bits;
  }
}

TEST(DType, SizesAndNames) {
  EXPECT_EQ(size_of(DType::kBFloat16), 2u);
  EXPECT_EQ(size_of(DType::kFloat64), 8u);
  EXPECT_EQ(name_of(dtype_of<bfloat16>), "bf16");
  EXPECT_EQ(name_of(dtype_of<std::int32_t>), "int32");
}

}  // namespace
}  // namespace edt
