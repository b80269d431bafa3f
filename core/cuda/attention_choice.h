// What both passes of attention ask of a call before they choose its kernel, and of the values of
// two.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/cuda/kernels/attention.h"
#include "core/cuda/tuned_attention.h"

namespace edt {

inline bool lies_at(const void* p, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(p) % bytes == 0;
}

AttentionKey key_of(const AttentionCall& call);

// How far values are apart, as a share of these (root of mean squares); 1 where that says nothing:
// they are not finite, or all of them are 0.
template <class T>
double share_apart(const std::vector<T>& a, const std::vector<T>& b) {
  double squares = 0, of = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<float>(a[i]), y = static_cast<float>(b[i]);
    squares += (x - y) * (x - y);
    of += x * x;
  }
  const double share = std::sqrt(squares / of);
  return std::isfinite(share) ? share : 1;
}

}  // namespace edt
