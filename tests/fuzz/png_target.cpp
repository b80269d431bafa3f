// Every chunk has a checksum: half of the inputs get the right ones, or little else would be tried.
#include <boost/crc.hpp>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/picture.h"
#include "tests/support/picture_files.h"

namespace edt::fuzz {

namespace {

std::size_t big_endian(const std::string& text, std::size_t at) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(text[at + i]);
  return value;
}

std::string with_checksums(std::string png) {
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t bytes = big_endian(png, at);
    if (bytes > png.size() - at - 12) break;
    boost::crc_32_type crc;
    crc.process_bytes(png.data() + at + 4, bytes + 4);
    for (std::size_t i = 0; i < 4; ++i) {
      png[at + 8 + bytes + i] = static_cast<char>(crc.checksum() >> (24 - 8 * i));
    }
    at += bytes + 12;
  }
  return png;
}

}  // namespace

std::vector<std::string> seeds() {
  constexpr int kPalette = 3, kRgbAlpha = 6;
  const Image image = test::drawn_picture(21, 17, 3);
  const std::vector<std::string> indices(9, std::string(5, '\x12'));
  const std::vector<std::string> deep(6, std::string(7 * 8, '\x5a'));
  return {test::png_file(image),
          test::png_file(10, 9, 4, kPalette, indices, false, {1, 2, 3, 40, 50, 60, 70, 80, 90}),
          test::png_file(7, 6, 16, kRgbAlpha, deep, true)};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edt::fuzz;
  const std::string input(reinterpret_cast<const char*>(data), size);
  if (size % 2 == 0) return decode_and_crop(data, size);
  const std::string mended = with_checksums(input);
  return decode_and_crop(reinterpret_cast<const std::uint8_t*>(mended.data()), mended.size());
}
