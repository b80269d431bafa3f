// PNG pictures: 8-bit RGB, single or laid out as a grid.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
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

void write_png(const std::filesystem::path& path, const Image& image);
Image read_png(const std::filesystem::path& path);
// The comment of an encoded picture; "" where it has none or is no PNG.
std::string png_comment(std::string_view encoded);

// Pictures of one size, `columns` per row, `gap` white pixels between them. The comment is that of
// the first.
Image make_grid(std::span<const Image> images, int columns, int gap = 2);

}  // namespace edt
