// A picture of 8-bit RGB.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edt {

// Rows from the top, three bytes per pixel.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;
  std::string comment;  // the PNG's text "Comment"; empty: none

  Image() = default;
  Image(int w, int h, std::uint8_t value = 0)
      : width(w), height(h), pixels(static_cast<std::size_t>(w) * h * 3, value) {}
  std::uint8_t* pixel(int x, int y) {
    return pixels.data() + (static_cast<std::size_t>(y) * width + x) * 3;
  }
  const std::uint8_t* pixel(int x, int y) const {
    return pixels.data() + (static_cast<std::size_t>(y) * width + x) * 3;
  }
};

// Left to right.
Image mirrored(const Image& image);

// Columns of a grid of pictures whose classes come in turn: a class each, ten at most; of no
// classes eight.
inline int grid_columns(std::int64_t classes) {
  return classes > 0 ? static_cast<int>(std::min<std::int64_t>(10, classes)) : 8;
}
// Pictures of one size, `columns` per row, `gap` white pixels between them. The comment is that of
// the first.
Image make_grid(std::span<const Image> images, int columns, int gap = 2);

}  // namespace edt
