// Products with weights in 8-bit integers, which a backend may have: for sampling, where weights do
// not change.
#pragma once

#include <cstdint>

#include "core/ops/backend.h"
#include "core/ops/weight_hold.h"

namespace edt {

class WeightQuantizer {
 public:
  virtual ~WeightQuantizer() = default;
  // Whether this processor has instructions for such products (VNNI); elsewhere they are slower
  // than others, and activations have 7 bits.
  virtual bool has_integer_products() const = 0;
  // As long as the result is held, linear maps and feed-forward blocks that read `weight` [N, K],
  // outside of training, multiply integers: its rows by a scale for each, rows of activations by a
  // scale and an offset found for each as they come. `weight` stays where and as it is.
  [[nodiscard]] virtual WeightHold quantize(const Tensor& weight) = 0;
};

// nullptr: this backend has no such products.
inline WeightQuantizer* weight_quantizer(Backend& backend) {
  return dynamic_cast<WeightQuantizer*>(&backend);
}

// What a weight of this shape takes besides: its integers, and a scale and a sum for each row.
constexpr std::size_t quantized_bytes(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(rows) * (static_cast<std::size_t>(columns) + 2 * sizeof(float));
}

}  // namespace edt
