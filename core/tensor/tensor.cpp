#include "core/tensor/tensor.h"

namespace edt {

Tensor Tensor::slice(std::int64_t begin, std::int64_t end) const {
  EDT_ASSERT(shape.rank() >= 1 && 0 <= begin && begin <= end && end <= shape[0]);
  Shape part{end - begin};
  for (int i = 1; i < shape.rank(); ++i) part.append(shape[i]);
  const std::int64_t row = shape[0] == 0 ? 0 : elements() / shape[0];
  const auto offset = static_cast<std::size_t>(begin * row) * size_of(dtype);
  return {static_cast<std::byte*>(data) + offset, part, dtype};
}

}  // namespace edt
