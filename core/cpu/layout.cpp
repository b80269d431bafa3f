#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

// f(token of the batch, channel, row in the patch, offset of the image row's first pixel)
template <class F>
void for_each_patch_row(const Shape& image, std::int64_t patch, F f) {
  const std::int64_t channels = image[1], height = image[2], width = image[3];
  const std::int64_t rows = height / patch, columns = width / patch;
  parallel_ranges(image[0] * rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t token_row = begin; token_row < end; ++token_row) {
      const std::int64_t b = token_row / rows, y = token_row % rows * patch;
      for (std::int64_t x = 0; x < columns; ++x) {
        for (std::int64_t c = 0; c < channels; ++c) {
          for (std::int64_t i = 0; i < patch; ++i) {
            f(token_row * columns + x, c, i,
              ((b * channels + c) * height + y + i) * width + x * patch);
          }
        }
      }
    }
  });
}

// f(runs of `c` elements: index in x [B, T, 4C] and in y [B, 4*T, C], in units of C)
template <class F>
void for_each_quarter(const Shape& x, const TokenGrid& grid, F f) {
  const std::int64_t columns = grid.columns;
  parallel_ranges(x[0] * grid.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        for (std::int64_t q = 0; q < 4; ++q) {
          f((row * columns + column) * 4 + q, (2 * row + q / 2) * 2 * columns + 2 * column + q % 2);
        }
      }
    }
  });
}

// Single elements: a call for each would cost more than they do.
void transpose_elements(const Tensor& x, const GradTarget& y) {
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  with_float_type(x.dtype, [&]<class E>(E) {
    const E* from = x.as<E>();
    E* to = y.tensor.as<E>();
    parallel_ranges(columns, 8, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) {
        for (std::int64_t i = 0; i < rows; ++i) {
          put(to[j * rows + i], static_cast<float>(from[i * columns + j]), y.accumulate);
        }
      }
    });
  });
}

}  // namespace

void CpuBackend::patchify(T image, std::int64_t patch, T patches) {
  const std::int64_t channels = image.shape[1];
  const auto* pixels = image.as<float>();
  with_float_type(patches.dtype, [&]<class E>(E) {
    E* out = patches.as<E>();
    for_each_patch_row(image.shape, patch, [&](auto token, auto c, auto i, auto pixel) {
      E* run = out + ((token * channels + c) * patch + i) * patch;
      for (std::int64_t j = 0; j < patch; ++j) run[j] = E(pixels[pixel + j]);
    });
  });
}

void CpuBackend::unpatchify(T tokens, std::int64_t patch, T image) {
  const std::int64_t channels = image.shape[1];
  auto* pixels = image.as<float>();
  with_float_type(tokens.dtype, [&]<class E>(E) {
    const E* in = tokens.as<E>();
    for_each_patch_row(image.shape, patch, [&](auto token, auto c, auto i, auto pixel) {
      const E* run = in + (token * patch + i) * patch * channels + c;
      for (std::int64_t j = 0; j < patch; ++j) {
        pixels[pixel + j] = static_cast<float>(run[j * channels]);
      }
    });
  });
}

void CpuBackend::pixel_shuffle_forward(T x, Grid grid, T y) {
  const Span from{x.data, x.dtype}, to{y.data, y.dtype};
  const std::int64_t n = y.shape[2];
  for_each_quarter(x.shape, grid,
                   [&](auto i, auto j) { convert(from.from(i * n), to.from(j * n), n); });
}

void CpuBackend::pixel_shuffle_backward(T dy, Grid grid, G dx) {
  if (!dx.wanted()) return;
  const Span from{dy.data, dy.dtype}, to{dx.tensor.data, dx.tensor.dtype};
  const std::int64_t n = dy.shape[2];
  for_each_quarter(dx.tensor.shape, grid, [&](auto i, auto j) {
    convert(from.from(j * n), to.from(i * n), n, dx.accumulate);
  });
}

void CpuBackend::swap_leading_axes(T x, G y) {
  if (!y.wanted()) return;
  const std::int64_t rows = x.shape[0], columns = x.shape[1], n = x.shape[2];
  if (n == 1) return transpose_elements(x, y);
  const Span from{x.data, x.dtype}, to{y.tensor.data, y.tensor.dtype};
  parallel_ranges(rows * columns, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      convert(from.from(i * n), to.from((i % columns * rows + i / columns) * n), n, y.accumulate);
    }
  });
}

void CpuBackend::mask_tokens_forward(T x, T mask, T positions, T y) {
  const std::int64_t tokens = x.shape[1], n = x.shape[2];
  const Span kept{x.data, x.dtype}, table{positions.data, positions.dtype}, to{y.data, y.dtype};
  const float* keep = mask.as<float>();
  parallel_ranges(x.shape.rows(), 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const Span from = keep[row] == 0 ? table.from(row % tokens * n) : kept.from(row * n);
      convert(from, to.from(row * n), n);
    }
  });
}

void CpuBackend::mask_tokens_backward(T dy, T mask, G dx) {
  if (!dx.wanted()) return;
  const std::int64_t n = dy.shape[2];
  const Span from{dy.data, dy.dtype}, to{dx.tensor.data, dx.tensor.dtype};
  const float* keep = mask.as<float>();
  parallel_ranges(dy.shape.rows(), 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (keep[row] != 0) {
        convert(from.from(row * n), to.from(row * n), n, dx.accumulate);
      } else if (!dx.accumulate) {
        edt::fill(to.from(row * n), n, 0.0f);
      }
    }
  });
}

}  // namespace edt
