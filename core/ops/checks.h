// Shape checks that ops share: "[op] what: both shapes".
#pragma once

#include "core/base/error.h"
#include "core/tensor/tensor.h"

namespace edt {

inline void check_shape(std::string_view op, std::string_view what, const Shape& actual,
                        const Shape& expected) {
  require(actual == expected, op, "{} is {}, expected {}", what, to_string(actual),
          to_string(expected));
}

// The matrix view that keeps the last axis.
inline Tensor as_matrix(const Tensor& tensor) {
  return tensor.reshaped({tensor.shape.rows(), tensor.shape.columns()});
}

// `weight` [N, ...] as [N, K].
inline Tensor as_weight(const Tensor& weight) {
  return weight.reshaped({weight.shape[0], weight.elements() / weight.shape[0]});
}

inline GradTarget as_weight(const GradTarget& target) {
  return {as_weight(target.tensor), target.accumulate};
}

inline GradTarget as_matrix(const GradTarget& target) {
  if (!target.wanted()) return {};
  return {as_matrix(target.tensor), target.accumulate};
}

// qkv [B, T, 3*H*d] as [B, T, 3, H, d].
inline Tensor by_head(const Tensor& qkv, std::int64_t heads) {
  return qkv.reshaped({qkv.shape[0], qkv.shape[1], 3, heads, qkv.shape[2] / (3 * heads)});
}

}  // namespace edt
