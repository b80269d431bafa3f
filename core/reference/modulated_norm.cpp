// The modulated norms: gather, normalise (norm.h), scatter.
#include <array>
#include <cmath>

#include "core/reference/kernels.h"
#include "core/reference/norm.h"

namespace edt {
namespace {

NormShape shape_of(const Tensor& y) { return {y.shape[0], y.shape[1], y.shape[2]}; }

// Calls f(index in y [B, T/4, 4C], index in x [B, T, C], token in [0, B*T)) for every element of a
// 2x2 merge. x_shape is [B, T, C].
template <class F>
void for_each_merged(const Shape& x_shape, const TokenGrid& grid, F f) {
  constexpr std::array<std::array<int, 2>, 4> kQuarters{{{0, 0}, {1, 0}, {0, 1}, {1, 1}}};
  const std::int64_t tokens = x_shape[1], channels = x_shape[2];
  std::int64_t to = 0;
  for (std::int64_t b = 0; b < x_shape[0]; ++b) {
    for (std::int64_t row = 0; row < grid.rows; row += 2) {
      for (std::int64_t column = 0; column < grid.columns; column += 2) {
        for (const auto& [down, right] : kQuarters) {
          const std::int64_t token = b * tokens + (row + down) * grid.columns + column + right;
          for (std::int64_t c = 0; c < channels; ++c) f(to++, token * channels + c, token);
        }
      }
    }
  }
}

Doubles merged(const Tensor& x, const TokenGrid& grid) {
  const Doubles from = load(x);
  Doubles to(from.size());
  for_each_merged(x.shape, grid, [&](auto y, auto i, auto) { to[y] = from[i]; });
  return to;
}

void apply_mask(Doubles& y, const Tensor& mask, const Shape& x_shape, const TokenGrid& grid) {
  if (!mask.defined()) return;
  const Doubles keep = load(mask);
  for_each_merged(x_shape, grid, [&](auto i, auto, auto token) { y[i] *= keep[token]; });
}

// Rows of [a, b]: elements [begin, begin + width) of every row of `both`.
Doubles part(const Doubles& both, std::int64_t rows, std::int64_t begin, std::int64_t width) {
  const std::int64_t stride = static_cast<std::int64_t>(both.size()) / rows;
  Doubles out;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto from = both.begin() + r * stride + begin;
    out.insert(out.end(), from, from + width);
  }
  return out;
}

}  // namespace

void ReferenceBackend::modulated_norm_forward(T x, C shift, C scale, T y, T stats) {
  store(norm_forward(load(x), shape_of(y), shift, scale, stats), y);
}

void ReferenceBackend::modulated_norm_backward(T dy, T x, T, C scale, G dx, C dshift, C dscale) {
  store(norm_backward(load(dy), load(x), shape_of(dy), scale, dshift, dscale).x, dx);
}

void ReferenceBackend::affine_norm_forward(T x, C shift, C scale, T y, T stats) {
  NormShape shape = shape_of(y);
  shape.epsilon = kAffineNormEpsilon;
  store(norm_forward(load(x), shape, shift, scale, stats), y);
}

void ReferenceBackend::affine_norm_backward(T dy, T x, T, C scale, G dx, C dshift, C dscale) {
  NormShape shape = shape_of(dy);
  shape.epsilon = kAffineNormEpsilon;
  store(norm_backward(load(dy), load(x), shape, scale, dshift, dscale).x, dx);
}

void ReferenceBackend::modulated_rms_norm_forward(T x, T weight, C shift, C scale, T y, T stats) {
  const Doubles w = load(weight);
  NormShape shape = shape_of(y);
  shape.weight = &w;
  store(norm_forward(load(x), shape, shift, scale, stats), y);
}

void ReferenceBackend::modulated_rms_norm_backward(T dy, T x, T weight, T, C scale, G dx, G dweight,
                                                   C dshift, C dscale) {
  const Doubles w = load(weight);
  NormShape shape = shape_of(dy);
  shape.weight = &w;
  const NormGradients gradients = norm_backward(load(dy), load(x), shape, scale, dshift, dscale);
  store(gradients.x, dx);
  store(gradients.weight, dweight);
}

void ReferenceBackend::merge_norm_forward(T x, Grid grid, C shift, C scale, T mask, T y, T stats) {
  Doubles out = norm_forward(merged(x, grid), shape_of(y), shift, scale, stats);
  apply_mask(out, mask, x.shape, grid);
  store(out, y);
}

void ReferenceBackend::merge_norm_backward(T dy, T x, Grid grid, T, C scale, T mask, G dx, C dshift,
                                           C dscale) {
  Doubles d = load(dy);
  apply_mask(d, mask, x.shape, grid);
  const Doubles dmerged = norm_backward(d, merged(x, grid), shape_of(dy), scale, dshift, dscale).x;
  Doubles dinput(dmerged.size());
  for_each_merged(x.shape, grid, [&](auto y, auto i, auto) { dinput[i] = dmerged[y]; });
  store(dinput, dx);
}

void ReferenceBackend::concat_norm_forward(T a, T b, C shift, C scale, T y, T stats) {
  store(norm_forward(concatenated(a, b), shape_of(y), shift, scale, stats), y);
}

void ReferenceBackend::concat_norm_backward(T dy, T a, T b, T, C scale, G da, G db, C dshift,
                                            C dscale) {
  const Doubles d =
      norm_backward(load(dy), concatenated(a, b), shape_of(dy), scale, dshift, dscale).x;
  const std::int64_t rows = a.shape.rows(), width = a.shape[2];
  store(part(d, rows, 0, width), da);
  store(part(d, rows, width, width), db);
}

}  // namespace edt
