#include "core/record/operand.h"

#include <cstring>

namespace edt {

HostContent HostContents::of(const Tensor& tensor) {
  HostContent content{.shape = tensor.shape, .dtype = tensor.dtype};
  if (device_.in_host_memory()) {
    content.bytes = {static_cast<const std::byte*>(tensor.data), tensor.bytes()};
    return content;
  }
  copied_.resize(tensor.bytes());
  device_.download(tensor, copied_.data());
  content.bytes = copied_;
  return content;
}

HostContent HostContents::of(const KernelOperand& operand) {
  const HostContent all = of(operand.tensor);
  if (operand.width == 0) return all;
  const std::size_t element = size_of(all.dtype);
  const std::int64_t rows = all.shape[0];
  const auto width = static_cast<std::size_t>(operand.width) * element,
             stride = static_cast<std::size_t>(all.shape[1]) * element,
             skipped = static_cast<std::size_t>(operand.column) * element;
  packed_.resize(static_cast<std::size_t>(rows) * width);
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    std::memcpy(packed_.data() + row * width, all.bytes.data() + row * stride + skipped, width);
  }
  return {.shape = {rows, operand.width}, .dtype = all.dtype, .bytes = packed_};
}

}  // namespace edt
