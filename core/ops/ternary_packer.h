// Products with ternary weights of two bits each, which a backend may have: for sampling, where
// weights do not change.
#pragma once

#include <cstdint>

#include "core/ops/backend.h"
#include "core/ops/weight_hold.h"

namespace edt {

class TernaryPacker {
 public:
  virtual ~TernaryPacker() = default;
  // As long as the result is held, linear maps and feed-forward blocks that read `weight` [N, K],
  // outside of training, take packed weights where a call has so few rows that this is faster:
  // there the bytes of weights are what time is spent on. Its values are -a, 0 and a, of one a; it
  // stays where and as it is. Sums have another order than those of dense products.
  [[nodiscard]] virtual WeightHold pack_ternary(const Tensor& weight) = 0;
};

// nullptr: this backend has no such products.
inline TernaryPacker* ternary_packer(Backend& backend) {
  return dynamic_cast<TernaryPacker*>(&backend);
}

// Packed words hold sixteen inputs of one output, and lie together for sixteen outputs.
inline constexpr std::int64_t kTernaryGroup = 16;
constexpr std::int64_t ternary_groups(std::int64_t n) {
  return (n + kTernaryGroup - 1) / kTernaryGroup;
}
// What a weight of this shape takes besides.
constexpr std::size_t packed_bytes(std::int64_t outputs, std::int64_t inputs) {
  return static_cast<std::size_t>(ternary_groups(outputs) * ternary_groups(inputs) *
                                  kTernaryGroup) *
         sizeof(std::uint32_t);
}

}  // namespace edt
