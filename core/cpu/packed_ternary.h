// A ternary weight [N, K] in two bits an element, for products with few rows.
#pragma once

#include <vector>

#include "core/cpu/matmul.h"
#include "core/cpu/scratch.h"
#include "core/tensor/tensor.h"

namespace edt {

class PackedTernary {
 public:
  // With more rows a dense product is about as fast or faster (docs/performance.md).
  static constexpr std::int64_t kMostRows = 32;

  // Of values -a, 0 and a, float32 or bf16. Error where it has others.
  explicit PackedTernary(const Tensor& weight);

  std::int64_t outputs() const { return outputs_; }
  std::int64_t inputs() const { return inputs_; }
  // y [rows, N] (+)= x W^T in float32; x may be bf16. A row's result does not depend on the others.
  void multiply(const Matrix& x, const Matrix& y, bool accumulate, Scratch& scratch) const;

 private:
  // Sixteen outputs; `rows` in whole groups of inputs.
  void multiply_group(std::int64_t group, const float* rows, const Matrix& y,
                      bool accumulate) const;

  std::int64_t outputs_, inputs_;
  float scale_ = 0;
  std::vector<std::uint32_t> words_;  // [groups of outputs, groups of inputs, 16]
};

}  // namespace edt
