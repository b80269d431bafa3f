#include "core/image/decode.h"

#include <fmt/format.h>

#include <cstring>

#include "core/image/formats.h"
#include "core/image/orientation.h"

namespace edt {

namespace {

using formats::Bytes;
using formats::Decoded;
using formats::Refused;

bool holds(Bytes encoded, std::size_t at, std::string_view text) {
  return encoded.size() >= at + text.size() &&
         std::memcmp(encoded.data() + at, text.data(), text.size()) == 0;
}

bool is_webp(Bytes encoded) { return holds(encoded, 0, "RIFF") && holds(encoded, 8, "WEBP"); }

// What people's folders hold beside the formats that are read, under names of pictures.
std::string_view foreign_format(Bytes encoded) {
  if (is_webp(encoded)) return "WebP, which this build reads only with libwebp";
  if (holds(encoded, 0, "GIF8")) return "GIF";
  if (holds(encoded, 0, "BM")) return "BMP";
  if (holds(encoded, 0, std::string_view("II*\0", 4)) ||
      holds(encoded, 0, std::string_view("MM\0*", 4))) {
    return "TIFF";
  }
  if (holds(encoded, 0, "P5") || holds(encoded, 0, "P6")) return "PGM or PPM";
  if (holds(encoded, 4, "ftypavif")) return "AVIF";
  if (holds(encoded, 4, "ftyphei")) return "HEIF";
  if (holds(encoded, 0, "version https://git-lfs")) {
    return "a pointer of Git LFS, not the file itself: git lfs pull fetches that";
  }
  if (holds(encoded, 0, "<!DOCTYPE") || holds(encoded, 0, "<!doctype") ||
      holds(encoded, 0, "<html")) {
    return "a web page: the download was answered by one";
  }
  return "";
}

Decoded decode(Bytes encoded, std::uint64_t most_pixels) {
  const std::string_view format = picture_format(encoded);
  if (format == "JPEG") return formats::decode_jpeg(encoded, most_pixels);
  if (format == "PNG") return formats::decode_png(encoded, most_pixels);
  if (format == "WebP") return formats::decode_webp(encoded, most_pixels);
  if (encoded.empty()) throw Refused{"is empty"};
  const std::string_view foreign = foreign_format(encoded);
  throw Refused{foreign.empty() ? std::string("is no JPEG, PNG or WebP")
                                : fmt::format("is {}; JPEG, PNG and WebP are read", foreign)};
}

}  // namespace

void formats::require_size(std::uint64_t width, std::uint64_t height, Bytes encoded,
                           std::uint64_t most_pixels, std::uint64_t most_per_byte) {
  if (width == 0 || height == 0) {
    throw Refused{fmt::format("has {} x {} pixels", width, height)};
  }
  if (width > most_pixels / height) {
    throw Refused{fmt::format("{} x {} pixels, at most {} are read", width, height, most_pixels)};
  }
  if (most_per_byte > 0 && width * height / most_per_byte > encoded.size()) {
    throw Refused{
        fmt::format("cut off: {} bytes cannot hold {} x {} pixels", encoded.size(), width, height)};
  }
}

std::string_view picture_format(Bytes encoded) {
  if (holds(encoded, 0, "\xff\xd8\xff")) return "JPEG";
  if (holds(encoded, 0, "\x89PNG\r\n\x1a\n")) return "PNG";
#ifdef EDT_WITH_WEBP
  if (is_webp(encoded)) return "WebP";
#endif
  return "";
}

Image decode_picture(Bytes encoded, const std::string& name, const DecodeOptions& options) {
  try {
    Decoded decoded = decode(encoded, options.most_pixels);
    if (!options.apply_orientation) return std::move(decoded.image);
    return turned(std::move(decoded.image), decoded.orientation);
  } catch (const Refused& refused) {
    throw PictureError(name, refused.reason);
  }
}

}  // namespace edt
