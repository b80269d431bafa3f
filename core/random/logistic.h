// The difference of two standard Gumbel draws, which is a standard logistic one, with the same bits
// on every processor.
#pragma once

#include "core/random/normal.h"

namespace edt::random {

// log u - log(1 - u) of u = (word + 0.5) / 2^32, which lies inside (0, 1).
EDT_HOST_DEVICE inline float logistic_of(std::uint32_t word) {
  const double u = (static_cast<double>(word) + 0.5) * 0x1p-32;
  return static_cast<float>(exact_log(u) - exact_log(1.0 - u));
}

}  // namespace edt::random
