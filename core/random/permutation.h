// A keyed permutation of 0..n-1 that is evaluated point by point: a Feistel network over the next
// even power of two, walked until it lands inside the range (cycle walking, Black and Rogaway,
// "Ciphers with arbitrary finite domains", 2002). A round sees half of the bits only, so its random
// numbers fit into a table of at most 2 sqrt(n).
#pragma once

#include <cstdint>
#include <vector>

#include "core/random/stream.h"

namespace edt::random {

class Permutation {
 public:
  // 1 <= `size` <= 2^32. `key.sample` is free for the caller; rounds are drawn from the key.
  Permutation(const StreamKey& key, std::uint64_t size);

  // Image of `position` < size().
  std::uint64_t operator()(std::uint64_t position) const;

  std::uint64_t size() const { return size_; }

 private:
  std::uint64_t encrypt(std::uint64_t value) const;

  std::uint64_t size_;
  int half_bits_;
  std::vector<std::uint16_t> rounds_;  // [round][half of the bits]
};

}  // namespace edt::random
