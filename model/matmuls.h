// The matrix products of a forward pass: the source of FLOP counts and of the machine's ceiling.
#pragma once

#include <cstdint>
#include <vector>

namespace edt {

// `count` products of [m, k] x [k, n], each `batch` times. A right factor stored as [n, k], like a
// weight, is `transposed_right`.
struct MatmulUse {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  std::int64_t count = 1;
  bool transposed_right = true;
  bool input_gradient = true;  // backward needs the gradient of the left factor too

  std::int64_t macs() const { return count * batch * m * n * k; }
};

// Multiply-accumulates of the forward pass.
inline std::int64_t total_macs(const std::vector<MatmulUse>& uses) {
  std::int64_t sum = 0;
  for (const MatmulUse& use : uses) sum += use.macs();
  return sum;
}

// FLOPs of forward and backward, 2 each multiply-accumulate; recompute is not counted.
inline double training_flops(const std::vector<MatmulUse>& uses) {
  double sum = 0;
  for (const MatmulUse& use : uses) {
    sum += 2.0 * static_cast<double>(use.macs()) * (2 + int{use.input_gradient});
  }
  return sum;
}

}  // namespace edt
