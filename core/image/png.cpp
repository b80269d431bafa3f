#include "core/image/png.h"

#include <png.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <string_view>

#include "core/base/error.h"
#include "core/image/decode.h"
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

std::string encode_png(const Image& image) {
  png_image info = describe(image);
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(info);
  std::string encoded(bytes, '\0');
  const int done =
      png_image_write_to_memory(&info, encoded.data(), &bytes, 0, image.pixels.data(), 0, nullptr);
  require<SystemError>(done != 0, "png", "cannot encode a picture: {}", info.message);
  encoded.resize(bytes);
  if (!image.comment.empty()) encoded.insert(kHead, comment_chunk(image.comment));
  return encoded;
}

void write_png(const std::filesystem::path& path, const Image& image) {
  write_text_atomically(path, encode_png(image));
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
  require<DataError>(encoded.starts_with(kSignature), "png", "{}: is no PNG", path.string());
  require_intact_chunks(encoded, path.string());
  Image image = decode_picture(std::as_bytes(std::span(encoded)), path.string());
  image.comment = png_comment(encoded);
  return image;
}

}  // namespace edt
