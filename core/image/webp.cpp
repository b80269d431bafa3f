// WebP through libwebp, where it is there.
#ifdef EDT_WITH_WEBP

#include <fmt/format.h>
#include <webp/decode.h>

#include <cstring>
#include <string_view>

#include "core/image/formats.h"
#include "core/image/orientation.h"

namespace edt::formats {

namespace {

const std::uint8_t* raw(Bytes bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

// The file is RIFF: after twelve bytes chunks of a name, a size and bytes, padded to an even number
// (developers.google.com/speed/webp/docs/riff_container).
int orientation_of(Bytes encoded) {
  constexpr std::size_t kHead = 8;
  for (std::size_t at = 12; at + kHead <= encoded.size();) {
    std::size_t size = 0;
    for (int i = 3; i >= 0; --i)
      size = size << 8 | raw(encoded)[at + 4 + static_cast<std::size_t>(i)];
    const Bytes rest = encoded.subspan(at + kHead);
    if (size > rest.size()) return 1;
    if (std::memcmp(raw(encoded) + at, "EXIF", 4) == 0) return exif_orientation(rest.first(size));
    at += kHead + size + size % 2;
  }
  return 1;
}

}  // namespace

Decoded decode_webp(Bytes encoded, std::uint64_t most_pixels) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(raw(encoded), encoded.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) throw Refused{"cut off within its header"};
  if (status != VP8_STATUS_OK)
    throw Refused{fmt::format("damaged WebP (libwebp: {})", static_cast<int>(status))};
  if (features.has_animation) throw Refused{"is an animated WebP; single pictures are read"};
  require_size(static_cast<std::uint64_t>(features.width),
               static_cast<std::uint64_t>(features.height), encoded, most_pixels, 0);
  Decoded decoded{Image(features.width, features.height), orientation_of(encoded)};
  Image& image = decoded.image;
  if (WebPDecodeRGBInto(raw(encoded), encoded.size(), image.pixels.data(), image.pixels.size(),
                        image.width * 3) == nullptr) {
    throw Refused{"cut off or damaged within its pixels"};
  }
  return decoded;
}

}  // namespace edt::formats

#else

#include "core/base/assert.h"
#include "core/image/formats.h"

namespace edt::formats {

// picture_format() knows no WebP.
Decoded decode_webp(Bytes, std::uint64_t) {
  EDT_ASSERT(false);
  return {};
}

}  // namespace edt::formats

#endif
