// Pooling: a pixel of the result is a few rows of channels taken together, which the compiler turns
// into vectors.
#include <algorithm>
#include <limits>
#include <vector>

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

struct Interval {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};

// What is there of the pixels under place `at` of the kernel.
Interval seen(std::int64_t at, std::int64_t kernel, const PoolForm& form, std::int64_t side) {
  const std::int64_t first = at * form.stride - form.padding;
  return {std::max<std::int64_t>(first, 0), std::min(first + kernel, side)};
}

template <class E>
void take(PoolKind kind, const E* pixel, std::int64_t channels, float* result) {
  if (kind == PoolKind::kMax) {
    for (std::int64_t c = 0; c < channels; ++c) {
      result[c] = std::max(result[c], static_cast<float>(pixel[c]));
    }
  } else {
    for (std::int64_t c = 0; c < channels; ++c) result[c] += static_cast<float>(pixel[c]);
  }
}

}  // namespace

void CpuBackend::pool(T x, const PoolForm& form, T y) {
  with_float_type(x.dtype, [&]<class E>(E) {
    const std::int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
    const float start = form.kind == PoolKind::kMax ? -std::numeric_limits<float>::infinity() : 0.f;
    parallel_ranges(y.shape[0] * y.shape[1], 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> result(static_cast<std::size_t>(channels));
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t n = i / y.shape[1];
        const Interval rows = seen(i % y.shape[1], form.kernel_rows, form, height);
        for (std::int64_t j = 0; j < y.shape[2]; ++j) {
          const Interval columns = seen(j, form.kernel_columns, form, width);
          std::ranges::fill(result, start);
          for (std::int64_t row = rows.begin; row < rows.end; ++row) {
            for (std::int64_t column = columns.begin; column < columns.end; ++column) {
              take(form.kind, x.as<E>() + ((n * height + row) * width + column) * channels,
                   channels, result.data());
            }
          }
          const float factor = form.kind == PoolKind::kMax
                                   ? 1.f
                                   : 1.f / static_cast<float>(rows.size() * columns.size());
          E* out = y.as<E>() + (i * y.shape[2] + j) * channels;
          for (std::int64_t c = 0; c < channels; ++c) {
            out[c] = E(result[static_cast<std::size_t>(c)] * factor);
          }
        }
      }
    });
  });
}

}  // namespace edt
