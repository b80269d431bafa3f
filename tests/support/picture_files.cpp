#include "tests/support/picture_files.h"

#include <stdio.h>

#include <jpeglib.h>
#include <png.h>
#ifdef EDT_WITH_WEBP
#include <webp/encode.h>
#endif

#include <cstdlib>
#include <stdexcept>

namespace edt::test {

namespace {

// "Exif", then a TIFF structure of one entry: the orientation.
std::string exif(int orientation) {
  std::string text("Exif\0\0II*\0\10\0\0\0\1\0\x12\1\3\0\1\0\0\0\0\0\0\0\0\0\0\0", 32);
  text[24] = static_cast<char>(orientation);
  return text;
}

}  // namespace

Image drawn_picture(int width, int height, unsigned seed) {
  Image image(width, height);
  const int step = 3 + static_cast<int>(seed % 5);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool edge = ((x / 11 + y / 7 + static_cast<int>(seed)) % 3) == 0;
      std::uint8_t* p = image.pixel(x, y);
      p[0] = static_cast<std::uint8_t>((x * step + static_cast<int>(seed) * 37) % 256);
      p[1] = static_cast<std::uint8_t>((y * (step + 1) + x / 2) % 256);
      p[2] = static_cast<std::uint8_t>(edge ? 230 : 40 + (x + y) % 64);
    }
  }
  return image;
}

std::string jpeg_file(const Image& image, const JpegKind& kind) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long bytes = 0;
  jpeg_mem_dest(&info, &buffer, &bytes);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, kind.quality, TRUE);
  if (kind.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (kind.orientation != 0) {
    const std::string marker = exif(kind.orientation);
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(marker.data()),
                      static_cast<unsigned>(marker.size()));
  }
  for (int y = 0; y < image.height; ++y) {
    auto* row = const_cast<std::uint8_t*>(image.pixel(0, y));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string file(reinterpret_cast<const char*>(buffer), bytes);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return file;
}

std::string png_file(int width, int height, int depth, int type,
                     const std::vector<std::string>& rows, bool interlaced,
                     const std::vector<std::uint8_t>& palette) {
  std::string file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp to, png_bytep bytes, std::size_t count) {
        static_cast<std::string*>(png_get_io_ptr(to))
            ->append(reinterpret_cast<const char*>(bytes), count);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), depth,
               type, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> colours;
  for (std::size_t i = 0; i + 2 < palette.size(); i += 3) {
    colours.push_back({palette[i], palette[i + 1], palette[i + 2]});
  }
  if (!colours.empty()) png_set_PLTE(png, info, colours.data(), static_cast<int>(colours.size()));
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  for (const std::string& row : rows) {
    pointers.push_back(reinterpret_cast<png_bytep>(const_cast<char*>(row.data())));
  }
  png_write_image(png, pointers.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}

std::string png_file(const Image& image) {
  std::vector<std::string> rows;
  for (int y = 0; y < image.height; ++y) {
    rows.emplace_back(reinterpret_cast<const char*>(image.pixel(0, y)),
                      static_cast<std::size_t>(image.width) * 3);
  }
  return png_file(image.width, image.height, 8, PNG_COLOR_TYPE_RGB, rows);
}

#ifdef EDT_WITH_WEBP
std::string webp_file(const Image& image, bool lossless) {
  std::uint8_t* bytes = nullptr;
  const int stride = image.width * 3;
  const std::size_t size =
      lossless
          ? WebPEncodeLosslessRGB(image.pixels.data(), image.width, image.height, stride, &bytes)
          : WebPEncodeRGB(image.pixels.data(), image.width, image.height, stride, 80, &bytes);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  WebPFree(bytes);
  return file;
}
#endif

}  // namespace edt::test
