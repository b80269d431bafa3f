#include "core/reference/matrix.h"

namespace edt {

// The innermost loop runs along rows of b and c, which the compiler vectorises.
Doubles multiply(const Doubles& a, const Doubles& b, std::int64_t m, std::int64_t k,
                 std::int64_t n) {
  Doubles c(static_cast<std::size_t>(m * n), 0.0);
  for (std::int64_t i = 0; i < m; ++i) {
    double* out = c.data() + i * n;
    for (std::int64_t l = 0; l < k; ++l) {
      const double factor = a[i * k + l];
      const double* row = b.data() + l * n;
      for (std::int64_t j = 0; j < n; ++j) out[j] += factor * row[j];
    }
  }
  return c;
}

Doubles transposed(const Doubles& a, std::int64_t m, std::int64_t n) {
  Doubles t(a.size());
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) t[j * m + i] = a[i * n + j];
  }
  return t;
}

Doubles column_sums(const Doubles& a, std::int64_t m, std::int64_t n) {
  Doubles sums(static_cast<std::size_t>(n), 0.0);
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) sums[j] += a[i * n + j];
  }
  return sums;
}

void add_to_rows(Doubles& y, const Doubles& bias, std::int64_t m, std::int64_t n) {
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) y[i * n + j] += bias[j];
  }
}

}  // namespace edt
