// A dense row-major tensor: a non-owning view of memory that an arena or a flat buffer owns.
#pragma once

#include <cstddef>
#include <span>

#include "core/base/assert.h"
#include "core/base/dtype.h"
#include "core/tensor/shape.h"

namespace edt {

struct Tensor {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::kFloat32;

  bool defined() const { return data != nullptr; }
  std::int64_t elements() const { return shape.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype); }

  // The elements as T, which must be the tensor's dtype.
  template <class T>
  T* as() const {
    EDT_ASSERT(dtype == dtype_of<T>);
    return static_cast<T*>(data);
  }

  template <class T>
  std::span<T> span() const {
    return {as<T>(), static_cast<std::size_t>(elements())};
  }

  // The same memory under another shape of equal size.
  Tensor reshaped(const Shape& other) const {
    EDT_ASSERT(other.elements() == elements());
    return {data, other, dtype};
  }

  // Entries [begin, end) along the first axis.
  Tensor slice(std::int64_t begin, std::int64_t end) const;
};

// A tensor over memory the caller owns.
template <class T>
Tensor view_of(std::span<T> memory, const Shape& shape) {
  EDT_ASSERT(shape.elements() == static_cast<std::int64_t>(memory.size()));
  return {memory.data(), shape, dtype_of<T>};
}

}  // namespace edt
