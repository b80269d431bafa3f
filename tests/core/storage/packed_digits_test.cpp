// Two bits for each of -1, 0 and 1: the published order, there and back, and bytes that are
// damaged.
#include "core/storage/packed_digits.h"

#include <gmock/gmock.h>

#include "tests/core/storage/expect_error.h"

namespace edt {
namespace {

TEST(PackedDigits, FourQuartersOfTheRowsInAByte) {
  // Four rows of two columns: bytes of columns, from the first row in the highest bits.
  const std::vector<std::int8_t> digits{1, -1, 0, 0, -1, 1, 1, 1};
  EXPECT_THAT(pack_digits(digits, 4), testing::ElementsAre(0b10'01'00'10, 0b00'01'10'10));
}

TEST(PackedDigits, ComeBack) {
  std::vector<std::int8_t> digits;
  for (int i = 0; i < 12 * 5; ++i) digits.push_back(static_cast<std::int8_t>(i * i % 7 % 3 - 1));
  const auto packed = pack_digits(digits, 12);
  EXPECT_EQ(packed.size(), 15u);
  EXPECT_EQ(unpack_digits(packed, "w"), digits);
}

TEST(PackedDigits, AByteThatHoldsNone) {
  const std::vector<std::uint8_t> packed{0, 0b00'01'11'00};
  EXPECT_ERROR((void)unpack_digits(packed, "file: w"), DataError, "file: w: byte 1 is 28");
}

}  // namespace
}  // namespace edt
