// What the transform of heads works on: qkv [samples * tokens, 3, heads, size].
#pragma once

#include <cstdint>

namespace edt {

// Pointers of what is not there are null.
struct HeadRows {
  std::int64_t places, heads, size;  // rows of the rotation: of a sample, or of all
  const float* norms;                // [2, size], of queries and keys; with biases [4, size]
  const float* rotation;             // [places, size]
  bool layer;                        // norm with a mean and biases

  // `which`: 0 queries, 1 keys
  const float* weight(std::int64_t which) const {
    return norms == nullptr ? nullptr : norms + which * size;
  }
  const float* bias(std::int64_t which) const {
    return layer ? norms + (2 + which) * size : nullptr;
  }
  const float* turn(std::int64_t token) const {
    return rotation == nullptr ? nullptr : rotation + token % places * size;
  }
};

}  // namespace edt
