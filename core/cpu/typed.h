// From a run-time dtype to a compile-time element type.
#pragma once

#include "core/base/dtype.h"
#include "core/base/error.h"

namespace edt {

// Calls f(T{}) with float or bfloat16.
template <class F>
void with_float_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat32:
      return f(float{});
    case DType::kBFloat16:
      return f(bfloat16{});
    case DType::kFloat64:
    case DType::kInt32:
      break;
  }
  fail<NotImplemented>("cpu",
                       "{} tensors are not implemented by this backend, float32 and bf16 are",
                       name_of(dtype));
}

}  // namespace edt
