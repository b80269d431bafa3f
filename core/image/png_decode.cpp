// PNG through libpng's row interface: its simplified one converts gamma and blends alpha, which
// Pillow does not.
#include <png.h>
#include <setjmp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "core/image/formats.h"
#include "core/image/guarded.h"
#include "core/image/orientation.h"

namespace edt::formats {

namespace {

constexpr std::uint64_t kMostDeflated = 1032;  // bytes that a byte of deflate can stand for
constexpr std::uint64_t kPngPixelsPerByte = 8 * kMostDeflated;

struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::byte* next = nullptr;
  std::size_t left = 0;
  jmp_buf out{};
  char reason[256] = "";
};

[[noreturn]] void leave_png(png_structp png, png_const_charp reason) {
  PngReader& reader = *static_cast<PngReader*>(png_get_error_ptr(png));
  std::strncpy(reader.reason, reason, sizeof reader.reason - 1);
  longjmp(reader.out, 1);
}

void no_png_message(png_structp, png_const_charp) {}

void take(png_structp png, png_bytep out, std::size_t count) {
  PngReader& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > reader.left) png_error(png, "cut off");
  std::memcpy(out, reader.next, count);
  reader.next += count;
  reader.left -= count;
}

struct PngCleanup {
  PngReader& reader;
  ~PngCleanup() { png_destroy_read_struct(&reader.png, &reader.info, nullptr); }
};

struct Header {
  png_uint_32 width = 0, height = 0;
  int depth = 0, type = 0, interlace = 0;
  int channels = 0;           // of a row, as libpng gives it
  std::size_t row_bytes = 0;  // likewise
  int orientation = 1;

  bool has_palette() const { return type == PNG_COLOR_TYPE_PALETTE; }
  // Pillow reads it into 32 bits, and clips these.
  bool is_clipped() const { return depth == 16 && type == PNG_COLOR_TYPE_GRAY; }
};

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

// Entries that the file lacks are gray, as in Pillow.
Palette read_palette(const PngReader& reader) {
  Palette palette;
  for (std::size_t i = 0; i < palette.size(); ++i) palette[i].fill(static_cast<std::uint8_t>(i));
  png_colorp entries = nullptr;
  int count = 0;
  if (png_get_PLTE(reader.png, reader.info, &entries, &count) == 0) return palette;
  for (int i = 0; i < std::min(count, 256); ++i) {
    palette[static_cast<std::size_t>(i)] = {entries[i].red, entries[i].green, entries[i].blue};
  }
  return palette;
}

void read_header(PngReader& reader, Header& h) {
  png_read_info(reader.png, reader.info);
  png_get_IHDR(reader.png, reader.info, &h.width, &h.height, &h.depth, &h.type, &h.interlace,
               nullptr, nullptr);
  if (h.has_palette()) {
    png_set_packing(reader.png);
  } else if (h.depth < 8) {
    png_set_expand_gray_1_2_4_to_8(reader.png);
  } else if (h.depth == 16 && !h.is_clipped()) {
    png_set_strip_16(reader.png);
  }
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  h.channels = png_get_channels(reader.png, reader.info);
  h.row_bytes = png_get_rowbytes(reader.png, reader.info);
  png_bytep exif = nullptr;
  png_uint_32 bytes = 0;
  if (png_get_eXIf_1(reader.png, reader.info, &bytes, &exif) != 0) {
    h.orientation = exif_orientation(std::as_bytes(std::span(exif, bytes)));
  }
}

void row_to_rgb(const Header& h, const Palette& palette, const std::uint8_t* row,
                std::uint8_t* rgb) {
  for (png_uint_32 x = 0; x < h.width; ++x, rgb += 3) {
    if (h.has_palette()) {
      std::copy_n(palette[row[x]].data(), 3, rgb);
    } else if (h.is_clipped()) {
      std::fill_n(rgb, 3, row[2 * x] != 0 ? std::uint8_t{255} : row[2 * x + 1]);
    } else if (h.channels < 3) {
      std::fill_n(rgb, 3, row[x * static_cast<png_uint_32>(h.channels)]);
    } else {
      std::copy_n(row + std::size_t{x} * static_cast<std::size_t>(h.channels), 3, rgb);
    }
  }
}

}  // namespace

Decoded decode_png(Bytes encoded, std::uint64_t most_pixels) {
  PngReader reader{.next = encoded.data(), .left = encoded.size()};
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, leave_png, no_png_message);
  const PngCleanup cleanup{reader};
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) throw std::bad_alloc();
  png_set_read_fn(reader.png, &reader, take);
  Header h;
  if (!guarded(reader.out, [&] { read_header(reader, h); })) throw Refused{reader.reason};
  require_size(h.width, h.height, encoded, most_pixels, kPngPixelsPerByte);

  Decoded decoded{Image(static_cast<int>(h.width), static_cast<int>(h.height)), h.orientation};
  const Palette palette = read_palette(reader);
  // An interlaced picture comes in passes over all of it.
  const bool at_once = h.interlace != PNG_INTERLACE_NONE;
  std::vector<std::uint8_t> native(h.row_bytes * (at_once ? h.height : 1));
  std::uint8_t* const rows = native.data();
  Image& image = decoded.image;
  if (!guarded(reader.out, [&] {
        const int passes = at_once ? png_set_interlace_handling(reader.png) : 1;
        for (int pass = 1; pass < passes; ++pass) {
          for (png_uint_32 y = 0; y < h.height; ++y) {
            png_read_row(reader.png, rows + y * h.row_bytes, nullptr);
          }
        }
        for (png_uint_32 y = 0; y < h.height; ++y) {
          std::uint8_t* const row = rows + (at_once ? y * h.row_bytes : 0);
          png_read_row(reader.png, row, nullptr);
          row_to_rgb(h, palette, row, image.pixel(0, static_cast<int>(y)));
        }
      })) {
    throw Refused{reader.reason};
  }
  return decoded;
}

}  // namespace edt::formats
