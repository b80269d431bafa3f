// A large picture in overlapping tiles, blended linearly over a quarter of their side, as diffusers
// does it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace edt {

// [height, width, channels]
struct Picture {
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<float> values;

  Picture() = default;
  Picture(std::int64_t h, std::int64_t w, std::int64_t c)
      : height(h), width(w), channels(c), values(static_cast<std::size_t>(h * w * c)) {}
  float* pixel(std::int64_t row, std::int64_t column) {
    return values.data() + (row * width + column) * channels;
  }
  const float* pixel(std::int64_t row, std::int64_t column) const {
    return values.data() + (row * width + column) * channels;
  }
  // Rows and columns from (row, column) on, at most h and w.
  Picture cut(std::int64_t row, std::int64_t column, std::int64_t h, std::int64_t w) const;
};

// Sides of a tile before and after `each`: multiples of four, so that quarters are whole.
struct TileSides {
  std::int64_t in = 0, out = 0;
};

// `each` of tiles of x, put together. Tiles for which it gives nothing are left out.
Picture in_tiles(const Picture& x, TileSides sides,
                 const std::function<Picture(const Picture&)>& each);

}  // namespace edt
