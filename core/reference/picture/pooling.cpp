#include <algorithm>
#include <limits>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::pool(T x, const PoolForm& form, T y) {
  const Doubles in = load(x);
  Doubles out(static_cast<std::size_t>(y.elements()));
  const std::int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  for (std::int64_t i = 0; i < y.elements(); ++i) {
    const std::int64_t c = i % channels, column = i / channels % y.shape[2];
    const std::int64_t row = i / (channels * y.shape[2]) % y.shape[1];
    const std::int64_t n = i / (channels * y.shape[2] * y.shape[1]);
    double sum = 0, largest = -std::numeric_limits<double>::infinity();
    std::int64_t seen = 0;
    for (std::int64_t place = 0; place < form.kernel_rows * form.kernel_columns; ++place) {
      const std::int64_t r = row * form.stride + place / form.kernel_columns - form.padding;
      const std::int64_t s = column * form.stride + place % form.kernel_columns - form.padding;
      if (r < 0 || s < 0 || r >= height || s >= width) continue;
      const double v = in[((n * height + r) * width + s) * channels + c];
      sum += v;
      largest = std::max(largest, v);
      ++seen;
    }
    out[i] = form.kind == PoolKind::kMax ? largest : sum / static_cast<double>(seen);
  }
  store(out, y);
}

}  // namespace edt
