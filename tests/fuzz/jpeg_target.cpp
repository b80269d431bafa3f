#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/picture.h"
#include "tests/support/picture_files.h"

namespace edt::fuzz {

std::vector<std::string> seeds() {
  const Image image = test::drawn_picture(40, 33, 3);
  return {test::jpeg_file(image), test::jpeg_file(image, {.progressive = true}),
          test::jpeg_file(image, {.quality = 30, .orientation = 6}),
          test::jpeg_file(test::drawn_picture(1, 1))};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return edt::fuzz::decode_and_crop(data, size);
}
