#include "core/image/orientation.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace edt {

namespace {

// Numbers of a TIFF structure, which says itself in which order their bytes are. 0 beyond its end.
class TiffNumbers {
 public:
  explicit TiffNumbers(std::span<const std::byte> bytes) : bytes_(bytes) {
    is_big_endian_ = at(0) == 'M';
  }
  bool is_valid() const { return (at(0) == 'M' || at(0) == 'I') && at(1) == at(0) && u16(2) == 42; }
  std::uint32_t u16(std::size_t i) const {
    return is_big_endian_ ? at(i) << 8 | at(i + 1) : at(i + 1) << 8 | at(i);
  }
  std::uint32_t u32(std::size_t i) const {
    return is_big_endian_ ? u16(i) << 16 | u16(i + 2) : u16(i + 2) << 16 | u16(i);
  }

 private:
  std::uint32_t at(std::size_t i) const {
    return i < bytes_.size() ? std::to_integer<std::uint32_t>(bytes_[i]) : 0;
  }

  std::span<const std::byte> bytes_;
  bool is_big_endian_;
};

}  // namespace

int exif_orientation(std::span<const std::byte> tiff) {
  constexpr std::uint32_t kOrientation = 0x0112, kShort = 3;
  constexpr std::size_t kEntry = 12;
  const TiffNumbers numbers(tiff);
  if (!numbers.is_valid()) return 1;
  const std::size_t directory = numbers.u32(4);
  for (std::uint32_t i = 0; i < numbers.u16(directory); ++i) {
    const std::size_t entry = directory + 2 + i * kEntry;
    if (numbers.u16(entry) != kOrientation || numbers.u16(entry + 2) != kShort) continue;
    const int value = static_cast<int>(numbers.u16(entry + 8));
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

Image turned(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // Where the pixel of the upright picture comes from: axes exchanged, then mirrored.
  const bool exchanged = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int width = exchanged ? image.height : image.width;
  const int height = exchanged ? image.width : image.height;
  Image upright(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int column = exchanged ? y : x, row = exchanged ? x : y;
      std::copy_n(image.pixel(from_right ? image.width - 1 - column : column,
                              from_bottom ? image.height - 1 - row : row),
                  3, upright.pixel(x, y));
    }
  }
  upright.comment = std::move(image.comment);
  return upright;
}

}  // namespace edt
