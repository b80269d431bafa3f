#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// f(token index in [0, B*rows*columns), channel, row in the patch, column in the patch, image
// index)
template <class F>
void for_each_pixel(const Shape& image, std::int64_t patch, F f) {
  const std::int64_t channels = image[1], rows = image[2] / patch, columns = image[3] / patch;
  std::int64_t at = 0;
  for (std::int64_t b = 0; b < image[0]; ++b) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t y = 0; y < image[2]; ++y) {
        for (std::int64_t x = 0; x < image[3]; ++x) {
          f((b * rows + y / patch) * columns + x / patch, c, y % patch, x % patch, at++);
        }
      }
    }
  }
}

// f(index in x [B, T, 4C], index in y [B, 4*T, C])
template <class F>
void for_each_shuffled(const Shape& x, const TokenGrid& grid, F f) {
  const std::int64_t tokens = x[1], channels = x[2] / 4;
  for (std::int64_t from = 0; from < x.elements(); ++from) {
    const std::int64_t c = from % channels, quarter = from / channels % 4;
    const std::int64_t token = from / (4 * channels), b = token / tokens;
    const std::int64_t row = 2 * (token % tokens / grid.columns) + quarter / 2;
    const std::int64_t column = 2 * (token % tokens % grid.columns) + quarter % 2;
    f(from, ((b * 2 * grid.rows + row) * 2 * grid.columns + column) * channels + c);
  }
}

}  // namespace

void ReferenceBackend::patchify(T image, std::int64_t patch, T patches) {
  const Doubles from = load(image);
  const std::int64_t channels = image.shape[1];
  Doubles to(from.size());
  for_each_pixel(image.shape, patch, [&](auto token, auto c, auto i, auto j, auto pixel) {
    to[((token * channels + c) * patch + i) * patch + j] = from[pixel];
  });
  store(to, patches);
}

void ReferenceBackend::unpatchify(T tokens, std::int64_t patch, T image) {
  const Doubles from = load(tokens);
  const std::int64_t channels = image.shape[1];
  Doubles to(from.size());
  for_each_pixel(image.shape, patch, [&](auto token, auto c, auto i, auto j, auto pixel) {
    to[pixel] = from[((token * patch + i) * patch + j) * channels + c];
  });
  store(to, image);
}

void ReferenceBackend::pixel_shuffle_forward(T x, Grid grid, T y) {
  const Doubles from = load(x);
  Doubles to(from.size());
  for_each_shuffled(x.shape, grid, [&](auto i, auto j) { to[j] = from[i]; });
  store(to, y);
}

void ReferenceBackend::pixel_shuffle_backward(T dy, Grid grid, G dx) {
  const Doubles from = load(dy);
  Doubles to(from.size());
  for_each_shuffled(dx.tensor.shape, grid, [&](auto i, auto j) { to[i] = from[j]; });
  store(to, dx);
}

void ReferenceBackend::swap_leading_axes(T x, G y) {
  const std::int64_t rows = x.shape[0], columns = x.shape[1], n = x.shape[2];
  const Doubles from = load(x);
  Doubles to(from.size());
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const std::int64_t row = i / (columns * n), column = i / n % columns;
    to[(column * rows + row) * n + i % n] = from[i];
  }
  store(to, y);
}

void ReferenceBackend::mask_tokens_forward(T x, T mask, T positions, T y) {
  const std::int64_t width = x.shape[2], tokens = x.shape[1];
  const Doubles keep = load(mask), table = load(positions);
  Doubles out = load(x);
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    if (keep[i / width] == 0) out[i] = table[i % (tokens * width)];
  }
  store(out, y);
}

void ReferenceBackend::mask_tokens_backward(T dy, T mask, G dx) {
  const std::int64_t width = dy.shape[2];
  const Doubles keep = load(mask);
  Doubles d = load(dy);
  for (std::int64_t i = 0; i < dy.elements(); ++i) {
    if (keep[i / width] == 0) d[i] = 0;
  }
  store(d, dx);
}

}  // namespace edt
