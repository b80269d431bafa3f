#include "core/storage/png.h"

#include <png.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <cstring>
#include <string_view>

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

// A PNG is a signature and chunks: length, type, data, CRC-32 of type and data (PNG specification,
// section 5).
constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr std::size_t kChunkFrame = 12;              // around the data of a chunk
constexpr std::size_t kHead = 8 + kChunkFrame + 13;  // signature and header chunk
constexpr std::string_view kCommentStart{"tEXtComment\0", 12};

std::uint32_t big_endian(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// libpng skips a damaged chunk where it can decode without it, and what follows the last one.
void require_intact_chunks(std::string_view file, const std::string& path) {
  std::size_t begin = kSignature.size();
  for (std::string_view type; type != "IEND";) {
    const std::size_t left = file.size() - std::min(begin, file.size());
    const std::size_t length = left >= kChunkFrame ? big_endian(file.data() + begin) : 0;
    require<DataError>(left >= kChunkFrame && length <= left - kChunkFrame, "png",
                       "{}: cut off: a chunk at byte {} ends beyond its {} bytes", path, begin,
                       file.size());
    type = file.substr(begin + 4, 4);
    boost::crc_32_type crc;
    crc.process_bytes(type.data(), 4 + length);
    const std::uint32_t stored = big_endian(type.data() + 4 + length);
    require<DataError>(crc.checksum() == stored, "png",
                       "{}: chunk {} at byte {}: CRC-32 {:08x}, {:08x} was written", path, type,
                       begin, crc.checksum(), stored);
    begin += length + kChunkFrame;
  }
  require<DataError>(begin == file.size(), "png", "{}: {} bytes follow the end of the picture",
                     path, file.size() - begin);
}

std::string to_big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

// libpng's simplified interface knows no texts.
std::string comment_chunk(const std::string& comment) {
  const std::string body = std::string(kCommentStart) + comment;
  boost::crc_32_type crc;
  crc.process_bytes(body.data(), body.size());
  return to_big_endian(static_cast<std::uint32_t>(body.size() - 4)) + body +
         to_big_endian(crc.checksum());
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
  const auto all = std::span(encoded).first(bytes);
  file.write(all.first(kHead));
  if (!image.comment.empty()) file.write(comment_chunk(image.comment));
  file.write(all.subspan(kHead));
  file.commit();
}

std::string png_comment(std::string_view encoded) {
  std::size_t at = kSignature.size();
  while (at + kChunkFrame <= encoded.size()) {
    const std::size_t length = big_endian(encoded.data() + at);
    const std::string_view body = encoded.substr(at + 4, 4 + length);
    if (body.size() < 4 + length) return "";
    if (body.starts_with(kCommentStart)) return std::string(body.substr(kCommentStart.size()));
    at += kChunkFrame + length;
  }
  return "";
}

Image read_png(const std::filesystem::path& path) {
  const std::string encoded = read_text(path);
  if (encoded.starts_with(kSignature)) require_intact_chunks(encoded, path.string());
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
  image.comment = png_comment(encoded);
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
  grid.comment = images[0].comment;
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
