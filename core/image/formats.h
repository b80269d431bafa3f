// The decoders behind decode_picture. They throw Refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/image/image.h"

namespace edt::formats {

using Bytes = std::span<const std::byte>;

// Why a picture cannot be decoded.
struct Refused {
  std::string reason;
};

struct Decoded {
  Image image;
  int orientation = 1;  // EXIF's, 1 ... 8
};

Decoded decode_jpeg(Bytes encoded, std::uint64_t most_pixels);
Decoded decode_png(Bytes encoded, std::uint64_t most_pixels);
Decoded decode_webp(Bytes encoded, std::uint64_t most_pixels);

// Of what the header says, before memory is taken. `most_per_byte`: pixels that a byte of the
// file can hold at most; 0: any number.
void require_size(std::uint64_t width, std::uint64_t height, Bytes encoded,
                  std::uint64_t most_pixels, std::uint64_t most_per_byte);

}  // namespace edt::formats
