#include "core/image/image.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt {

Image mirrored(const Image& image) {
  Image result(image.width, image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      std::copy_n(image.pixel(x, y), 3, result.pixel(image.width - 1 - x, y));
    }
  }
  return result;
}

Image make_grid(std::span<const Image> images, int columns, int gap) {
  require<UsageError>(!images.empty() && columns > 0, "image",
                      "a grid of {} pictures in {} columns", images.size(), columns);
  const int width = images[0].width, height = images[0].height;
  const int count = static_cast<int>(images.size());
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  Image grid(columns * (width + gap) - gap, rows * (height + gap) - gap, 255);
  grid.comment = images[0].comment;
  for (int i = 0; i < count; ++i) {
    const Image& image = images[static_cast<std::size_t>(i)];
    require<UsageError>(image.width == width && image.height == height, "image",
                        "picture {} of a grid is {} x {}, the first is {} x {}", i, image.width,
                        image.height, width, height);
    const int left = i % columns * (width + gap), top = i / columns * (height + gap);
    for (int y = 0; y < height; ++y) {
      std::copy_n(image.pixel(0, y), static_cast<std::size_t>(width) * 3,
                  grid.pixel(left, top + y));
    }
  }
  return grid;
}

}  // namespace edt
