#include "core/random/permutation.h"

#include <bit>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt::random {

Permutation::Permutation(const StreamKey& key, std::uint64_t size) : key_(key), size_(size) {
  require(size >= 1, "permutation", "size is {}, at least 1 is needed", size);
  const int bits = std::max(2, static_cast<int>(std::bit_width(size - 1)));
  half_bits_ = (bits + 1) / 2;
  require(half_bits_ <= 31, "permutation", "size {} is beyond 2^62", size);
}

std::uint64_t Permutation::encrypt(std::uint64_t value) const {
  constexpr int kRounds = 8;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  std::uint64_t left = value >> half_bits_;
  std::uint64_t right = value & mask;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    const Counter words = philox4x32(
        {static_cast<std::uint32_t>(right), static_cast<std::uint32_t>(key_.purpose) | round << 16,
         key_.step, key_.sample},
        {static_cast<std::uint32_t>(key_.seed), static_cast<std::uint32_t>(key_.seed >> 32)});
    const std::uint64_t next = (left ^ words[0]) & mask;
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

std::uint64_t Permutation::operator()(std::uint64_t position) const {
  EDT_ASSERT(position < size_);
  std::uint64_t value = encrypt(position);
  while (value >= size_) value = encrypt(value);
  return value;
}

}  // namespace edt::random
