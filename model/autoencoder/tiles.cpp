#include "model/autoencoder/tiles.h"

#include <algorithm>

#include "core/base/assert.h"

namespace edt {
namespace {

// The first rows of `below` go over from the last of `above`.
void blend_rows(const Picture& above, Picture& below, std::int64_t most) {
  const std::int64_t extent = std::min({above.height, below.height, most});
  for (std::int64_t row = 0; row < extent; ++row) {
    const float part = static_cast<float>(row) / static_cast<float>(extent);
    const float* from = above.pixel(above.height - extent + row, 0);
    float* to = below.pixel(row, 0);
    for (std::int64_t i = 0; i < below.width * below.channels; ++i) {
      to[i] = from[i] * (1 - part) + to[i] * part;
    }
  }
}

void blend_columns(const Picture& left, Picture& right, std::int64_t most) {
  const std::int64_t extent = std::min({left.width, right.width, most});
  for (std::int64_t row = 0; row < right.height; ++row) {
    for (std::int64_t column = 0; column < extent; ++column) {
      const float part = static_cast<float>(column) / static_cast<float>(extent);
      const float* from = left.pixel(row, left.width - extent + column);
      float* to = right.pixel(row, column);
      for (std::int64_t c = 0; c < right.channels; ++c) {
        to[c] = from[c] * (1 - part) + to[c] * part;
      }
    }
  }
}

void paste(const Picture& part, std::int64_t row, std::int64_t column, Picture& whole) {
  for (std::int64_t r = 0; r < part.height; ++r) {
    std::copy_n(part.pixel(r, 0), part.width * part.channels, whole.pixel(row + r, column));
  }
}

}  // namespace

Picture Picture::cut(std::int64_t row, std::int64_t column, std::int64_t h, std::int64_t w) const {
  Picture part(std::min(h, height - row), std::min(w, width - column), channels);
  for (std::int64_t r = 0; r < part.height; ++r) {
    std::copy_n(pixel(row + r, column), part.width * channels, part.pixel(r, 0));
  }
  return part;
}

Picture in_tiles(const Picture& x, TileSides sides,
                 const std::function<Picture(const Picture&)>& each) {
  EDT_ASSERT(sides.in % 4 == 0 && sides.out % 4 == 0);
  const std::int64_t step = sides.in / 4 * 3, kept = sides.out / 4 * 3, blend = sides.out / 4;
  std::vector<std::vector<Picture>> rows;
  std::int64_t height = 0, width = 0;
  for (std::int64_t row = 0; row < x.height; row += step) {
    std::vector<Picture> made;
    std::int64_t columns = 0;
    for (std::int64_t column = 0; column < x.width; column += step) {
      Picture tile = each(x.cut(row, column, sides.in, sides.in));
      if (tile.height == 0 || tile.width == 0) break;
      if (!rows.empty()) blend_rows(rows.back()[made.size()], tile, blend);
      if (!made.empty()) blend_columns(made.back(), tile, blend);
      columns += std::min(kept, tile.width);
      made.push_back(std::move(tile));
    }
    if (made.empty()) break;
    height += std::min(kept, made[0].height);
    width = columns;
    rows.push_back(std::move(made));
  }
  Picture whole(height, width, rows[0][0].channels);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < rows[i].size(); ++j) {
      paste(rows[i][j].cut(0, 0, kept, kept), static_cast<std::int64_t>(i) * kept,
            static_cast<std::int64_t>(j) * kept, whole);
    }
  }
  return whole;
}

}  // namespace edt
