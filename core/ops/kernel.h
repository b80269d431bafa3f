// What the kernel interfaces of the op families share. A backend overrides the kernels it has;
// one it lacks fails by name.
#pragma once

#include <string_view>

#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/tensor/tensor.h"

namespace edt {

// `width` columns of a [B, K] tensor from `column` on: how shift, scale and gate are read out of
// one adaLN projection, and where their gradients are added.
struct Columns {
  Tensor tensor;
  std::int64_t column = 0;
  std::int64_t width = 0;

  std::int64_t stride() const { return tensor.shape[1]; }
  template <class T>
  T* row(std::int64_t b) const {
    return tensor.as<T>() + b * stride() + column;
  }
};

struct KernelFamily {
  virtual ~KernelFamily() = default;
  virtual std::string_view backend_name() const = 0;

 protected:
  [[noreturn]] void lacks(std::string_view kernel) const {
    fail<NotImplemented>(backend_name(), "{} is not implemented by this backend", kernel);
  }
};

}  // namespace edt
