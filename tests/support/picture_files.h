// Pictures as files of any kind, drawn for tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/image/image.h"

namespace edt::test {

// Smooth colours with edges, different for every seed.
Image drawn_picture(int width, int height, unsigned seed = 0);

struct JpegKind {
  int quality = 90;
  bool progressive = false;
  int orientation = 0;  // as EXIF; 0: no EXIF
};
std::string jpeg_file(const Image& image, const JpegKind& kind = {});

std::string png_file(const Image& image);
// Samples of any kind that PNG knows: rows as the format stores them. `type` is PNG's colour type.
std::string png_file(int width, int height, int depth, int type,
                     const std::vector<std::string>& rows, bool interlaced = false,
                     const std::vector<std::uint8_t>& palette = {});

#ifdef EDT_WITH_WEBP
std::string webp_file(const Image& image, bool lossless);
#endif

}  // namespace edt::test
