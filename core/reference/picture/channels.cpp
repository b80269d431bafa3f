#include "core/reference/doubles.h"
#include "core/reference/kernels.h"
#include "core/reference/picture/activate.h"

namespace edt {

void ReferenceBackend::fold_pixels(T x, std::int64_t r, std::int64_t group, T y) {
  const Doubles in = load(x);
  Doubles out(static_cast<std::size_t>(y.elements()));
  const std::int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const std::int64_t c = i % channels, column = i / channels % width;
    const std::int64_t row = i / (channels * width) % height, n = i / (channels * width * height);
    const std::int64_t folded = c * r * r + row % r * r + column % r;
    const std::int64_t pixel = (n * (height / r) + row / r) * (width / r) + column / r;
    out[pixel * y.shape[3] + folded / group] += in[i] / static_cast<double>(group);
  }
  store(out, y);
}

void ReferenceBackend::unfold_pixels(T x, std::int64_t r, std::int64_t repeats, T y) {
  const Doubles in = load(x);
  Doubles out(static_cast<std::size_t>(y.elements()));
  const std::int64_t height = y.shape[1], width = y.shape[2], channels = y.shape[3];
  for (std::int64_t i = 0; i < y.elements(); ++i) {
    const std::int64_t c = i % channels, column = i / channels % width;
    const std::int64_t row = i / (channels * width) % height, n = i / (channels * width * height);
    const std::int64_t folded = c * r * r + row % r * r + column % r;
    const std::int64_t pixel = (n * (height / r) + row / r) * (width / r) + column / r;
    out[i] = in[pixel * x.shape[3] + folded / repeats];
  }
  store(out, y);
}

void ReferenceBackend::gated_silu(T x, T y) {
  const Doubles in = load(x);
  Doubles out(static_cast<std::size_t>(y.elements()));
  const std::int64_t channels = y.shape[3];
  for (std::int64_t i = 0; i < y.elements(); ++i) {
    const std::int64_t at = i / channels * 2 * channels + i % channels;
    out[i] = in[at] * activated(PictureActivation::kSilu, in[at + channels]);
  }
  store(out, y);
}

void ReferenceBackend::join_channels(T a, T b, T y) { store(concatenated(a, b), y); }

}  // namespace edt
