// How fast this machine multiplies the matrices of a step when nothing else is to be done: oneDNN
// on the same shapes, on operands that lie ready. The yardstick of "share of the ceiling".
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/dtype.h"

namespace edt {

// C [m, n] = A [m, k] B [k, n], `batch` times; a transposed factor is stored the other way round.
struct MatmulForm {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  bool transposed_a = false, transposed_b = false;
  std::int64_t count = 1;  // how often it is run in a round

  double flops() const {
    return 2.0 * static_cast<double>(count) * static_cast<double>(batch) * static_cast<double>(m) *
           static_cast<double>(n) * static_cast<double>(k);
  }
};

class MatmulCeiling {
 public:
  // float32, or bf16 where the CPU multiplies it natively (elsewhere float32 is what limits bf16,
  // and is measured).
  MatmulCeiling(const std::vector<MatmulForm>& forms, DType dtype);
  ~MatmulCeiling();

  // Runs every product once each count; returns the seconds it took.
  double run();
  double flops() const;
  // The type that is multiplied.
  DType dtype() const;

 private:
  struct Product;
  std::vector<std::unique_ptr<Product>> products_;
  std::vector<MatmulForm> forms_;
  DType dtype_;
  std::vector<float> a_, b_, c_;
};

}  // namespace edt
