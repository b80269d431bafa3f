// Rows of one head, and matrices read by any strides: what linear attention is computed on.
#pragma once

#include "core/cpu/elementwise.h"
#include "core/tensor/tensor.h"

namespace edt {

// A matrix of floats that is read element by element, by any strides.
struct Strided {
  const float* data;
  std::int64_t row, column;
};

// A head's rows in [B, T, H, d].
struct HeadSlice {
  void* data;
  DType dtype;
  std::int64_t tokens, stride, size;

  HeadSlice(const Tensor& x, std::int64_t head)
      : dtype(x.dtype), tokens(x.shape[1]), stride(x.shape[2] * x.shape[3]), size(x.shape[3]) {
    const std::int64_t heads = x.shape[2];
    data = Span{x.data, x.dtype}.from(head / heads * tokens * stride + head % heads * size).data;
  }
};

}  // namespace edt
