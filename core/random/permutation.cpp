#include "core/random/permutation.h"

#include <bit>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt::random {

namespace {

constexpr std::uint32_t kRounds = 8;

}  // namespace

Permutation::Permutation(const StreamKey& key, std::uint64_t size) : size_(size) {
  require(size >= 1, "permutation", "size is {}, at least 1 is needed", size);
  const int bits = std::max(2, static_cast<int>(std::bit_width(size - 1)));
  half_bits_ = (bits + 1) / 2;
  require(half_bits_ <= 16, "permutation", "size {} is beyond 2^32", size);
  const std::uint32_t halves = std::uint32_t{1} << half_bits_;
  rounds_.reserve(std::size_t{kRounds} * halves);
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    for (std::uint32_t half = 0; half < halves; ++half) {
      const Counter words = philox4x32(
          {half, static_cast<std::uint32_t>(key.purpose) | round << 16, key.step, key.sample},
          {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)});
      rounds_.push_back(static_cast<std::uint16_t>(words[0] & (halves - 1)));
    }
  }
}

std::uint64_t Permutation::encrypt(std::uint64_t value) const {
  std::uint64_t left = value >> half_bits_;
  std::uint64_t right = value & ((std::uint64_t{1} << half_bits_) - 1);
  for (std::size_t round = 0; round < kRounds; ++round) {
    const std::uint64_t next = left ^ rounds_[round << half_bits_ | right];
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
