// Rearrangements of channels: small beside the convolutions around them, so plain loops over
// pixels.
#include <cmath>

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

// f(n, row, column, first element) for each pixel of t, rows in parallel.
template <class F>
void for_each_pixel(const Tensor& t, F&& f) {
  const std::int64_t height = t.shape[1], width = t.shape[2], channels = t.shape[3];
  parallel_ranges(t.shape[0] * height, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t column = 0; column < width; ++column) {
        f(i / height, i % height, column, (i * width + column) * channels);
      }
    }
  });
}

}  // namespace

void CpuBackend::fold_pixels(T x, std::int64_t r, std::int64_t group, T y) {
  with_float_type(x.dtype, [&]<class E>(E) {
    const E* in = x.as<E>();
    E* out = y.as<E>();
    const std::int64_t channels = x.shape[3], width = x.shape[2], results = y.shape[3];
    const float part = 1.f / static_cast<float>(group);
    for_each_pixel(y, [&](std::int64_t n, std::int64_t row, std::int64_t column, std::int64_t at) {
      const std::int64_t corner = ((n * x.shape[1] + row * r) * width + column * r) * channels;
      for (std::int64_t c = 0; c < results; ++c) {
        float sum = 0;
        for (std::int64_t folded = c * group; folded < (c + 1) * group; ++folded) {
          const std::int64_t place = folded % (r * r);
          sum += static_cast<float>(
              in[corner + (place / r * width + place % r) * channels + folded / (r * r)]);
        }
        out[at + c] = E(sum * part);
      }
    });
  });
}

void CpuBackend::unfold_pixels(T x, std::int64_t r, std::int64_t repeats, T y) {
  with_float_type(x.dtype, [&]<class E>(E) {
    const E* in = x.as<E>();
    E* out = y.as<E>();
    for_each_pixel(y, [&](std::int64_t n, std::int64_t row, std::int64_t column, std::int64_t at) {
      const E* pixel = in + ((n * x.shape[1] + row / r) * x.shape[2] + column / r) * x.shape[3];
      const std::int64_t place = row % r * r + column % r;
      for (std::int64_t c = 0; c < y.shape[3]; ++c) {
        out[at + c] = pixel[(c * r * r + place) / repeats];
      }
    });
  });
}

void CpuBackend::gated_silu(T x, T y) {
  with_float_type(x.dtype, [&]<class E>(E) {
    const E* in = x.as<E>();
    E* out = y.as<E>();
    const std::int64_t channels = y.shape[3];
    for_each_pixel(y, [&](std::int64_t, std::int64_t, std::int64_t, std::int64_t at) {
      const E *value = in + 2 * at, *gate = value + channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float g = static_cast<float>(gate[c]);
        out[at + c] = E(static_cast<float>(value[c]) * g / (1 + std::exp(-g)));
      }
    });
  });
}

void CpuBackend::join_channels(T a, T b, T y) {
  EDT_ASSERT(a.dtype == y.dtype && b.dtype == y.dtype);
  const Span left{a.data, a.dtype}, right{b.data, b.dtype}, to{y.data, y.dtype};
  const std::int64_t first = a.shape[3], second = b.shape[3], width = first + second;
  parallel_ranges(y.shape.rows(), 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      convert(left.from(i * first), to.from(i * width), first);
      convert(right.from(i * second), to.from(i * width + first), second);
    }
  });
}

}  // namespace edt
