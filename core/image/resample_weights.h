// The weights with which pixels of a line become pixels of a scaled one.
#pragma once

#include <cstdint>
#include <vector>

#include "core/image/resample.h"

namespace edt {

inline constexpr int kWeightBits = 22;  // that come after the point

template <class Weight>
struct ResampleWeights {
  int taps = 0;                     // room for the weights of a pixel
  std::vector<std::int64_t> first;  // [pixels] of the source
  std::vector<int> count;           // [pixels]
  std::vector<Weight> weight;       // [pixels, taps]

  std::int64_t begin() const { return first.front(); }
  std::int64_t end() const { return first.back() + count.back(); }
};

using LineWeights = ResampleWeights<std::int32_t>;  // of pictures of bytes
using ExactLineWeights = ResampleWeights<double>;   // of float pictures

// Of pixels from ... from + count - 1 of a line of `in` pixels scaled to `out`.
LineWeights line_weights(std::int64_t in, std::int64_t out, Filter filter, std::int64_t from,
                         int count);
ExactLineWeights exact_line_weights(std::int64_t in, std::int64_t out, Filter filter,
                                    std::int64_t from, int count);

}  // namespace edt
