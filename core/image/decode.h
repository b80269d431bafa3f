// Pictures as people have them -> 8-bit RGB, as Pillow's convert("RGB") makes them: alpha is
// dropped, palettes are looked up, colour profiles are ignored, 16-bit samples lose their low byte
// (gray without alpha is clipped at 255 instead), CMYK is taken as Adobe stores it, inverted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/image/image.h"

namespace edt {

// A picture that cannot be decoded: `reason` without its name.
class PictureError : public DataError {
 public:
  PictureError(const std::string& name, std::string reason)
      : DataError("picture", name + ": " + reason), reason_(std::move(reason)) {}
  const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

struct DecodeOptions {
  // Larger ones are refused before memory is taken. The default is where Pillow refuses.
  std::uint64_t most_pixels = 178'956'970;
  // Turn as EXIF says. Published extractors do not.
  bool apply_orientation = false;
};

// Formats that this build reads, told from the content: "JPEG", "PNG" and, where it was built with
// libwebp, "WebP". "" for anything else.
std::string_view picture_format(std::span<const std::byte> encoded);

// The bytes of a whole file. `name` is for messages. PictureError for a file that is damaged, cut
// off, too large, or of another format.
Image decode_picture(std::span<const std::byte> encoded, const std::string& name,
                     const DecodeOptions& options = {});

}  // namespace edt
