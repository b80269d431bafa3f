// The values of a kernel's operands in host memory.
#pragma once

#include <span>
#include <vector>

#include "core/record/hooked_backend.h"

namespace edt {

// What hashes are taken of: all bytes of a tensor, or of columns as if they were one.
struct HostContent {
  Shape shape;
  DType dtype = DType::kFloat32;
  std::span<const std::byte> bytes;  // until the next is asked for
};

class HostContents {
 public:
  explicit HostContents(Device& device) : device_(device) {}
  HostContent of(const Tensor& tensor);
  HostContent of(const KernelOperand& operand);

 private:
  Device& device_;
  std::vector<std::byte> copied_, packed_;
};

}  // namespace edt
