// What the targets of pictures do with their input.
#pragma once

#include "core/image/decode.h"
#include "core/image/resample.h"

namespace edt::fuzz {

// 0 for a picture that is decoded, turned and cropped, -1 for one that is refused. Those that claim
// more than a megapixel are refused, so that many a second are possible.
inline int decode_and_crop(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kMostPixels = 1 << 20;
  try {
    const Image image = decode_picture(std::as_bytes(std::span(data, size)), "input",
                                       {.most_pixels = kMostPixels, .apply_orientation = true});
    return centre_crop(image, 16).width == 16 ? 0 : -1;
  } catch (const PictureError&) {
    return -1;
  }
}

}  // namespace edt::fuzz
