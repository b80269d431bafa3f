// Matrices of -1, 0 and 1 in two bits each, as TerDiT (arXiv 2405.14854) packs them: of n rows byte
// (r, column), r < n / 4, holds those of rows r, r + n / 4, r + n / 2 and r + 3 n / 4, from the
// highest bits to the lowest, each as the number + 1.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace edt {

// `rows` is a multiple of 4.
std::vector<std::uint8_t> pack_digits(std::span<const std::int8_t> digits, std::int64_t rows);

// DataError naming `what` where a byte holds a number that is none of the three.
std::vector<std::int8_t> unpack_digits(std::span<const std::uint8_t> packed, std::string_view what);

}  // namespace edt
