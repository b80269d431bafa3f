#include "core/storage/png.h"

#include <png.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/storage/durable_file.h"

namespace edt {

namespace {

png_image describe(const Image& image) {
  png_image info{};
  info.version = PNG_IMAGE_VERSION;
  info.width = static_cast<png_uint_32>(image.width);
  info.height = static_cast<png_uint_32>(image.height);
  info.format = PNG_FORMAT_RGB;
  return info;
}

}  // namespace

void write_png(const std::filesystem::path& path, const Image& image) {
  png_image info = describe(image);
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(info);
  std::vector<std::byte> encoded(bytes);
  const int done =
      png_image_write_to_memory(&info, encoded.data(), &bytes, 0, image.pixels.data(), 0, nullptr);
  require<SystemError>(done != 0, "png", "cannot encode {}: {}", path.string(), info.message);
  DurableFile file(path);
  file.write(std::span(encoded).first(bytes));
  file.commit();
}

Image read_png(const std::filesystem::path& path) {
  const std::string encoded = read_text(path);
  png_image info{};
  info.version = PNG_IMAGE_VERSION;
  require<DataError>(png_image_begin_read_from_memory(&info, encoded.data(), encoded.size()) != 0,
                     "png", "{}: {}", path.string(), info.message);
  info.format = PNG_FORMAT_RGB;
  constexpr png_uint_32 kLargest = 1 << 15;
  if (info.width > kLargest || info.height > kLargest) {
    png_image_free(&info);
    fail<DataError>("png", "{}: {} x {} pixels, at most {} a side", path.string(), info.width,
                    info.height, kLargest);
  }
  Image image(static_cast<int>(info.width), static_cast<int>(info.height));
  require<DataError>(png_image_finish_read(&info, nullptr, image.pixels.data(), 0, nullptr) != 0,
                     "png", "{}: {}", path.string(), info.message);
  return image;
}

Image make_grid(std::span<const Image> images, int columns, int gap) {
  require<UsageError>(!images.empty() && columns > 0, "png", "a grid of {} pictures in {} columns",
                      images.size(), columns);
  const int width = images[0].width, height = images[0].height;
  const int count = static_cast<int>(images.size());
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  Image grid(columns * (width + gap) - gap, rows * (height + gap) - gap, 255);
  for (int i = 0; i < count; ++i) {
    const Image& image = images[static_cast<std::size_t>(i)];
    require<UsageError>(image.width == width && image.height == height, "png",
                        "picture {} of a grid is {} x {}, the first is {} x {}", i, image.width,
                        image.height, width, height);
    const int left = i % columns * (width + gap), top = i / columns * (height + gap);
    for (int y = 0; y < height; ++y) {
      std::memcpy(grid.pixel(left, top + y), image.pixel(0, y),
                  static_cast<std::size_t>(width) * 3);
    }
  }
  return grid;
}

}  // namespace edt
