#include "core/storage/packed_digits.h"

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {
namespace {

constexpr int kParts = 4;

// Of the number of a part in its byte.
constexpr int shift_of(int part) { return 2 * (kParts - 1 - part); }

}  // namespace

// Rows lie one after the other, so that parts are runs of the whole matrix.
std::vector<std::uint8_t> pack_digits(std::span<const std::int8_t> digits, std::int64_t rows) {
  EDT_ASSERT(rows % kParts == 0);
  std::vector<std::uint8_t> packed(digits.size() / kParts);
  for (int part = 0; part < kParts; ++part) {
    const auto run = digits.subspan(static_cast<std::size_t>(part) * packed.size(), packed.size());
    for (std::size_t i = 0; i < run.size(); ++i) {
      EDT_ASSERT(-1 <= run[i] && run[i] <= 1);
      packed[i] |= static_cast<std::uint8_t>((run[i] + 1) << shift_of(part));
    }
  }
  return packed;
}

std::vector<std::int8_t> unpack_digits(std::span<const std::uint8_t> packed,
                                       std::string_view what) {
  std::vector<std::int8_t> digits(kParts * packed.size());
  for (int part = 0; part < kParts; ++part) {
    for (std::size_t i = 0; i < packed.size(); ++i) {
      const int number = packed[i] >> shift_of(part) & 3;
      require<DataError>(number < 3, "weights", "{}: byte {} is {}, two bits of it are 3 of 0 to 2",
                         what, i, packed[i]);
      digits[static_cast<std::size_t>(part) * packed.size() + i] =
          static_cast<std::int8_t>(number - 1);
    }
  }
  return digits;
}

}  // namespace edt
