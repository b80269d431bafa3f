// Shapes as files have them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/shape.h"

namespace edt {

inline std::vector<std::uint64_t> dims_of(const Shape& shape) {
  std::vector<std::uint64_t> dims;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    dims.push_back(static_cast<std::uint64_t>(shape[axis]));
  }
  return dims;
}

}  // namespace edt
