// Vectorised loops over contiguous memory, of one thread; the caller cuts the work into ranges.
#pragma once

#include <cstdint>

#include "core/base/dtype.h"

namespace edt {

// Untyped memory of a float dtype.
struct Span {
  void* data = nullptr;
  DType dtype = DType::kFloat32;

  Span from(std::int64_t element) const {
    return {static_cast<std::byte*>(data) + element * static_cast<std::int64_t>(size_of(dtype)),
            dtype};
  }
};

// to[i] (+)= from[i], converting.
void convert(Span from, Span to, std::int64_t n, bool accumulate = false);
// y[i] = a[i] + b[i]
void add(Span a, Span b, Span y, std::int64_t n);
void fill(Span y, std::int64_t n, float value);
// y[i] = a * x[i] + b * noise[i]
void blend(float a, const float* x, float b, const float* noise, float* y, std::int64_t n);
// sums[j] += sum over `rows` rows of x[row * stride + j], j < n
void add_column_sums(Span x, std::int64_t rows, std::int64_t stride, std::int64_t n, float* sums);

}  // namespace edt
