// Element types of this backend.
#pragma once

#include <utility>

#include "core/base/typed.h"

namespace edt {

// Calls f(T{}) with float or bfloat16.
template <class F>
void with_float_type(DType dtype, F&& f) {
  with_type_among<float, bfloat16>("cpu", dtype, std::forward<F>(f));
}

// target = value, or += value, rounded once.
template <class E>
void put(E& target, double value, bool accumulate) {
  const double before = accumulate ? static_cast<double>(static_cast<float>(target)) : 0.0;
  target = E(static_cast<float>(before + value));
}

}  // namespace edt
