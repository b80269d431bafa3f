#include "core/image/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/assert.h"
#include "core/image/resample_weights.h"

namespace edt {

namespace {

constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

// Four values side by side, so that one instruction serves a pixel.
void widen(const std::uint8_t* rgb, std::int64_t pixels, std::int32_t* out) {
  for (std::int64_t x = 0; x < pixels; ++x, rgb += 3, out += 4) {
    out[0] = rgb[0];
    out[1] = rgb[1];
    out[2] = rgb[2];
    out[3] = 0;
  }
}

void scale_row(const std::int32_t* pixels, const LineWeights& line, std::uint8_t* rgb) {
  for (std::size_t x = 0; x < line.first.size(); ++x, rgb += 3) {
    const std::int32_t* weight = line.weight.data() + x * static_cast<std::size_t>(line.taps);
    const std::int32_t* source = pixels + (line.first[x] - line.begin()) * 4;
    std::int32_t sum[4] = {kHalf, kHalf, kHalf, kHalf};
    for (int t = 0; t < line.count[x]; ++t) {
      for (int c = 0; c < 4; ++c) sum[c] += source[t * 4 + c] * weight[t];
    }
    for (int c = 0; c < 3; ++c) rgb[c] = to_byte(sum[c]);
  }
}

// Across or down: pixels that a window needs, and what is made of them.
struct Axis {
  std::int64_t begin, end;  // of the source
  bool is_scaled;
  LineWeights line;  // where it is scaled

  Axis(std::int64_t in, std::int64_t out, Filter filter, std::int64_t from, int count)
      : begin(from), end(from + count), is_scaled(in != out) {
    if (!is_scaled) return;
    line = line_weights(in, out, filter, from, count);
    begin = line.begin();
    end = line.end();
  }
  int size() const { return static_cast<int>(end - begin); }
};

Image cut(const Image& image, const Axis& across, const Axis& down) {
  Image part(across.size(), down.size());
  for (int y = 0; y < part.height; ++y) {
    std::memcpy(part.pixel(0, y),
                image.pixel(static_cast<int>(across.begin), static_cast<int>(down.begin) + y),
                static_cast<std::size_t>(part.width) * 3);
  }
  return part;
}

Image scale_rows(const Image& image, const LineWeights& line) {
  Image out(static_cast<int>(line.first.size()), image.height);
  std::vector<std::int32_t> wide(static_cast<std::size_t>(image.width) * 4);
  for (int y = 0; y < image.height; ++y) {
    widen(image.pixel(0, y), image.width, wide.data());
    scale_row(wide.data(), line, out.pixel(0, y));
  }
  return out;
}

Image scale_columns(const Image& image, const LineWeights& line) {
  Image out(image.width, static_cast<int>(line.first.size()));
  const std::size_t bytes = static_cast<std::size_t>(image.width) * 3;
  std::vector<std::int32_t> sum(bytes);
  for (std::size_t y = 0; y < line.first.size(); ++y) {
    std::fill(sum.begin(), sum.end(), kHalf);
    const std::int32_t* weight = line.weight.data() + y * static_cast<std::size_t>(line.taps);
    for (int t = 0; t < line.count[y]; ++t) {
      const std::uint8_t* row = image.pixel(0, static_cast<int>(line.first[y] - line.begin()) + t);
      for (std::size_t i = 0; i < bytes; ++i) sum[i] += row[i] * weight[t];
    }
    std::uint8_t* to = out.pixel(0, static_cast<int>(y));
    for (std::size_t i = 0; i < bytes; ++i) to[i] = to_byte(sum[i]);
  }
  return out;
}

// As Pillow 13 does: where the height shrinks by much more than the width.
bool columns_come_first(const Image& image, std::int64_t width, std::int64_t height) {
  return image.height > height && image.height - height > (image.width - width) * 2;
}

// As Python rounds: halves to even.
std::int64_t rounded(double value) { return static_cast<std::int64_t>(std::nearbyint(value)); }

}  // namespace

Image resample(const Image& image, std::int64_t width, std::int64_t height, Filter filter,
               const ImageWindow& window) {
  EDT_ASSERT(window.left >= 0 && window.top >= 0 && window.width >= 1 && window.height >= 1 &&
             window.left + window.width <= width && window.top + window.height <= height);
  const Axis across(image.width, width, filter, window.left, window.width);
  const Axis down(image.height, height, filter, window.top, window.height);
  Image made;
  const Image* last = &image;
  if (across.size() < image.width || down.size() < image.height) {
    made = cut(image, across, down);
    last = &made;
  }
  const bool columns_first = columns_come_first(image, width, height);
  for (const bool columns : {columns_first, !columns_first}) {
    const Axis& axis = columns ? down : across;
    if (!axis.is_scaled) continue;
    made = columns ? scale_columns(*last, axis.line) : scale_rows(*last, axis.line);
    last = &made;
  }
  if (last == &image) return image;
  return made;
}

Image resample(const Image& image, int width, int height, Filter filter) {
  return resample(image, width, height, filter, {0, 0, width, height});
}

Image centre_crop(Image image, int size) {
  while (std::min(image.width, image.height) >= 2 * size) {
    image = resample(image, image.width / 2, image.height / 2, Filter::kBox);
  }
  const double scale = static_cast<double>(size) / std::min(image.width, image.height);
  const std::int64_t width = rounded(image.width * scale);
  const std::int64_t height = rounded(image.height * scale);
  return resample(image, width, height, Filter::kBicubic,
                  {(width - size) / 2, (height - size) / 2, size, size});
}

}  // namespace edt
