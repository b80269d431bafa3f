// What the tape needs of a backend: memory, and the elementary operations on gradients.
#pragma once

#include <cstring>
#include <span>
#include <string_view>

#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace edt {

class Device {
 public:
  virtual ~Device() = default;

  virtual std::string_view name() const = 0;
  virtual Memory& memory() = 0;

  virtual void zero(const Tensor& tensor) = 0;
  // Fills with one value, rounded to the tensor's dtype.
  virtual void fill(const Tensor& tensor, double value) = 0;
  // to = from, converting between floating-point dtypes; equal element counts.
  virtual void copy(const Tensor& from, const Tensor& to) = 0;
  // to += from; equal shapes and dtypes.
  virtual void add_into(const Tensor& from, const Tensor& to) = 0;

  // sums[0] += (sums[1] + (... + (sums.back() + last))), all float32 of equal size: the additions
  // that the last leaf of a tree triggers, in one pass over memory.
  virtual void fold(std::span<const Tensor> sums, const Tensor& last);

  // All of a tensor's bytes from and to host memory. Both are complete when they return.
  virtual void upload(const void* host, const Tensor& to) {
    std::memcpy(to.data, host, to.bytes());
  }
  virtual void download(const Tensor& from, void* host) {
    std::memcpy(host, from.data, from.bytes());
  }
  // Waits until everything asked for so far has been done.
  virtual void synchronize() {}
};

}  // namespace edt
