// A keyed permutation of 0..n-1 that is evaluated point by point and stores nothing: a Feistel
// network over the next even power of two, walked until it lands inside the range (cycle walking,
// Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
#pragma once

#include <cstdint>

#include "core/random/stream.h"

namespace edt::random {

class Permutation {
 public:
  // `size` >= 1. `key.sample` is free for the caller; rounds are drawn from the key.
  Permutation(const StreamKey& key, std::uint64_t size);

  // Image of `position` < size().
  std::uint64_t operator()(std::uint64_t position) const;

  std::uint64_t size() const { return size_; }

 private:
  std::uint64_t encrypt(std::uint64_t value) const;

  StreamKey key_;
  std::uint64_t size_;
  int half_bits_;
};

}  // namespace edt::random
