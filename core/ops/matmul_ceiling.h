// How fast a backend's library multiplies the matrices of a step when nothing else is to be done,
// on operands that lie ready. The yardstick of "share of the ceiling".
#pragma once

#include <cstdint>
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
  explicit MatmulCeiling(std::vector<MatmulForm> forms) : forms_(std::move(forms)) {}
  virtual ~MatmulCeiling() = default;

  // Runs every product once each count; returns the seconds it took.
  virtual double run() = 0;
  // The type that is multiplied.
  virtual DType dtype() const = 0;

  const std::vector<MatmulForm>& forms() const { return forms_; }
  double flops() const {
    double sum = 0;
    for (const MatmulForm& form : forms_) sum += form.flops();
    return sum;
  }

 private:
  std::vector<MatmulForm> forms_;
};

}  // namespace edt
