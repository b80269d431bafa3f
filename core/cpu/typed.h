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

}  // namespace edt
