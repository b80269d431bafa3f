// Matrix products by oneDNN: c (+)= a b with float32 results. Operands are float32, or bf16 where
// the CPU multiplies bf16 itself; elsewhere bf16 operands are converted to float32 first.
#pragma once

#include <cstdint>
#include <memory>

#include "core/cpu/elementwise.h"
#include "core/cpu/per_thread.h"
#include "core/cpu/scratch.h"
#include "core/tensor/tensor.h"

namespace edt {

// A row-major matrix in memory, read as it is or transposed.
struct Matrix {
  Span span;
  std::int64_t rows = 0, columns = 0;  // of the memory, before transposition
  std::int64_t stride = 0;
  bool transposed = false;

  Matrix() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a [rows, columns] tensor is a matrix
  Matrix(const Tensor& t)
      : span{t.data, t.dtype}, rows(t.shape[0]), columns(t.shape[1]), stride(t.shape[1]) {}
  Matrix(Span memory, std::int64_t row_count, std::int64_t column_count)
      : span(memory), rows(row_count), columns(column_count), stride(column_count) {}

  Matrix t() const {
    Matrix other = *this;
    other.transposed = !transposed;
    return other;
  }
  // Columns [begin, end) of the memory.
  Matrix columns_of(std::int64_t begin, std::int64_t end) const {
    Matrix part = *this;
    part.span = span.from(begin);
    part.columns = end - begin;
    return part;
  }
  // Rows [begin, end) of the memory.
  Matrix slice(std::int64_t begin, std::int64_t end) const {
    Matrix part = *this;
    part.span = span.from(begin * stride);
    part.rows = end - begin;
    return part;
  }
};

class Matmul {
 public:
  explicit Matmul(Scratch& scratch);
  ~Matmul();
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;

  // The type in which operands of `dtype` are multiplied.
  DType operand_dtype(DType dtype) const;

  // `m` itself, or a copy in the operand type that lives in `slot`.
  Matrix operand(const Matrix& m, Slot slot);

  // c (+)= a b. a and b are in one operand type, c is float32 and not transposed.
  void multiply(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate);

 private:
  class Bfloat16Products;

  Scratch& scratch_;
  bool native_bf16_;
  std::unique_ptr<PerThread<Bfloat16Products>> bf16_products_;
};

}  // namespace edt
