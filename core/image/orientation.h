// How a camera was held: the orientation that EXIF records, and the picture turned by it.
#pragma once

#include <cstddef>
#include <span>

#include "core/image/image.h"

namespace edt {

// Tag 0x0112 of the first directory of a TIFF structure, which is what EXIF data are (EXIF 2.3,
// section 4.6.2): 1 ... 8; 1 where there is none, or the data are damaged.
int exif_orientation(std::span<const std::byte> tiff);

// The upright picture of one that was stored with this orientation.
Image turned(Image image, int orientation);

}  // namespace edt
